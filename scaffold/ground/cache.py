"""A folder of the person's for what can be made again: extracted templates and rendered trees.

Everything in it is named by its content and put in place whole, so any number of processes may use
it at once, and deleting it costs time only. Without a place to write, a scratch folder will do.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

PLACE = "MLOPS_SCAFFOLD_CACHE"
_UNUSED = 60 * 24 * 3600.0  # seconds after which an unused entry is removed


def folder(name: str, otherwise: Path) -> Path:
    """Return a part of the cache, or a part of a scratch folder where none can be kept."""
    base = os.environ.get(PLACE) or os.environ.get("XDG_CACHE_HOME")
    home = Path(base or os.path.expanduser("~/.cache"))  # noqa: PTH111 - never raises
    place = (home if os.environ.get(PLACE) else home / "mlops-scaffold") / name
    with suppress(OSError):
        if place.is_absolute():
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.access(place, os.W_OK | os.X_OK):
                return place
    place = otherwise / name
    place.mkdir(parents=True, exist_ok=True)
    return place


def touch(entry: Path) -> None:
    """Note that an entry is used, so that it stays."""
    with suppress(OSError):
        os.utime(entry)


def put(made: Path, entry: Path) -> None:
    """Move a finished folder to its name; whoever else was first has put the same there."""
    try:
        made.rename(entry)
    except OSError:
        if not entry.is_dir():
            raise
        shutil.rmtree(made, ignore_errors=True)
    _tidy(entry.parent)


def _tidy(place: Path) -> None:
    """Remove what nobody has used for months, and what a killed process left half made."""
    now = time.time()
    for entry in place.iterdir():
        with suppress(OSError):
            if now - entry.stat().st_mtime > _UNUSED:
                shutil.rmtree(entry, ignore_errors=True)
