"""A folder for everything that is thrown away."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder, and remove it whatever happens."""
    with tempfile.TemporaryDirectory(
        prefix="mlops-scaffold-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)
