"""mlops-scaffold: generates an ML repository that trains, gates, ships and rolls back."""
