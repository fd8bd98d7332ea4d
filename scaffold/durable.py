"""Writing that outlasts a power cut."""

import os
from pathlib import Path


def put(file: Path, content: bytes) -> None:
    """Write a file, and return when its content is on the disk."""
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def sync(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
