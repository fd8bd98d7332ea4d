"""Changes Git's index in one step that a kill never leaves half-way, nor locked.

`git update-index` alone would not do: killed, it leaves its lock behind, and when only we are
killed, it takes the half of the list that it was given for the whole. So it works on a copy, which
becomes the index by one rename while a link to that same copy is Git's own lock.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.store import Entry
from scaffold.project.project import Project

Stages = tuple[tuple[str, str, int], ...]  # (mode, oid, stage); nothing for what is not in it
_COPY = "index-"


def entries(project: Project, prefix: str) -> dict[str, Stages]:
    """Return what is staged in a folder of the repository, by path in that folder."""
    return {path: as_stages(stages) for path, stages in project.index(prefix).items()}


def as_stages(entries: Mapping[int, Entry]) -> Stages:
    """Return the entries of one path, by stage, in the form of the journal."""
    return tuple((entry.mode, entry.oid, stage) for stage, entry in sorted(entries.items()))


def change(project: Project, prefix: str, wanted: Iterable[tuple[str, Stages]]) -> None:
    """Give paths of a folder other entries, all of them or none."""
    zero = "0" * (64 if project.form == "sha256" else 40)
    removed, added = [], []
    for path, stages in wanted:
        removed.append(f"0 {zero}\t{prefix}{path}\0")
        added += [f"{mode} {oid} {stage}\t{prefix}{path}\0" for mode, oid, stage in stages]
    if not removed:
        return
    index, lock = project.git_dir / "index", _lock(project)
    copy = project.state / f"{_COPY}{os.getpid()}"
    try:
        before = _identity(index)
        if before:
            shutil.copy2(index, copy)
        env = project.environment | {"GIT_INDEX_FILE": str(copy)}
        argv = ("update-index", "-z", "--index-info")
        git.git(*argv, cwd=project.top, env=env, stdin="".join(removed + added))
        _link(lock, copy, project)
        if _identity(index) != before:
            raise ScaffoldError("Git has changed the index just now", "run the command again")
        lock.replace(index)
    finally:
        release(project)


def release(project: Project) -> None:
    """Remove what a killed command has left: copies, and the lock that is one of them."""
    lock = _lock(project)
    for copy in project.state.glob(f"{_COPY}*"):
        if lock.exists() and lock.samefile(copy):
            lock.unlink()
        copy.unlink(missing_ok=True)


def refuse_locked(project: Project) -> None:
    """Refuse while Git itself changes the index, or was killed when it did."""
    if _lock(project).exists():
        raise _busy(project)


def _link(lock: Path, copy: Path, project: Project) -> None:
    """Make the copy Git's lock as well; where there are no such links, a copy of the copy."""
    try:
        lock.hardlink_to(copy)
    except FileExistsError as error:
        raise _busy(project) from error
    except OSError:
        with lock.open("xb") as stream:
            stream.write(copy.read_bytes())


def _lock(project: Project) -> Path:
    return project.git_dir / "index.lock"


def _identity(file: Path) -> tuple[int, int, int] | None:
    """Return what is another once Git has written the file anew."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _busy(project: Project) -> ScaffoldError:
    return ScaffoldError(
        f"Git is at work in {project.place}: {_lock(project)} exists",
        "wait for it to end; if none runs, remove that file",
    )
