"""Doing something once per machine, though several processes of a test run ask for it at once."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold a lock of this user's that goes with the process, however it ends."""
    path = Path(tempfile.gettempdir()) / f"scaffold-runners-{os.getuid()}-{name}.lock"
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
