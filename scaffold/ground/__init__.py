"""What everything stands on: git, the object store, errors, the terminal, paths, scratch folders.

Knows no project, no template and no verb; imports nothing of ours from above.
"""
