"""Writing that outlasts a power cut."""

import os
from collections.abc import Iterable
from pathlib import Path


def put(file: Path, pieces: Iterable[bytes]) -> None:
    """Write a file of some pieces, and return when it is on the disk."""
    with file.open("wb") as stream:
        stream.writelines(pieces)
        stream.flush()
        os.fsync(stream.fileno())


def sync(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
