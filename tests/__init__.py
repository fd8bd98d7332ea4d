"""The suite: `support` holds the helpers, `conftest` the shared projects."""
