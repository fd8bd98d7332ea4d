"""A hidden folder beside the target, in which everything is made before it is put in place.

It lies on the target's file system, so that one rename is all it takes. Its owner holds a lock on
it for as long as it lives; a stage whose lock is free was left by a killed process, and the next
`new` in that folder removes it.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from scaffold.ground.errors import Exit, ScaffoldError

PREFIX = ".mlops-scaffold-"
FULL = 1 << 20  # bytes; a disk with less than this left is full


@dataclass(frozen=True)
class Stage:
    """Where one target is prepared. `project` has the target's name, `work` is for scratch."""

    target: Path
    folder: Path

    @property
    def work(self) -> Path:
        """A folder for anything that is thrown away."""
        return self.folder / "work"

    @property
    def project(self) -> Path:
        """The project in the making."""
        return self.folder / "project" / self.target.name

    def publish(self) -> None:
        """Put the project where it belongs, whole, by one rename."""
        try:
            self.project.rename(self.target)
        except OSError as error:
            raise ScaffoldError(
                f"{self.target} cannot be put in place: {error.strerror}",
                "choose another folder, or see who else writes there",
            ) from error


def check_target(path: Path) -> Path:
    """Return the real path of the target, or refuse one where a project cannot go."""
    target = Path(os.path.realpath(path))
    if not target.name:
        raise ScaffoldError(f"{path} is no place for a project", "name a new folder", Exit.USAGE)
    if target.is_dir() and any(target.iterdir()):
        raise ScaffoldError(
            f"{path} exists and is not empty", "choose a new folder, or empty it", Exit.ERROR
        )
    if target.exists() and not target.is_dir():
        raise ScaffoldError(f"{path} exists and is a file", "choose a new folder")
    if target.exists() and target.samefile(Path.cwd()):
        raise ScaffoldError(
            f"{path} is the folder you are in, and it is put in place by a rename",
            f"run `cd .. && mlops-scaffold new {target.name}`",
        )
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir():
        raise ScaffoldError(f"{parent} is a file, so nothing can be made in it", "choose another")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ScaffoldError(f"you may not write in {parent}", "choose another folder")
    return target


@contextmanager
def stage(target: Path) -> Iterator[Stage]:
    """Make the stage for a target, and leave nothing of it behind whatever happens."""
    made = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target.parent)
    folder = target.parent / f"{PREFIX}{secrets.token_hex(4)}"  # named first: an interrupt finds it
    lock = None
    staged = Stage(target, folder)
    try:
        folder.mkdir()
        lock = _lock(folder)
        staged.work.mkdir()
        staged.project.parent.mkdir()
        yield staged
    except ScaffoldError as error:
        # git and copier often say only that a write failed.
        if error.code == Exit.ERROR and shutil.disk_usage(folder).free < FULL:
            raise ScaffoldError(
                f"{target.parent}: No space left on device", "free some space, and retry"
            ) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        if not target.exists():
            with suppress(OSError):  # somebody else may have put something there
                for parent in made:
                    parent.rmdir()


def _lock(folder: Path) -> int | None:
    """Lock a stage folder for this process; None when another process holds it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
