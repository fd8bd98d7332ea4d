"""Puts a set of files into place in one step that can be finished, or taken back, after a kill.

First everything needed is written into the repository's own folder: what is there now, what shall
be there, and a list. From the moment that this folder gets its name, the change is decided; whoever
comes next after a kill completes it. The same folder, kept, is what `undo` works from.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from scaffold import console
from scaffold.errors import ScaffoldError
from scaffold.project import Project
from scaffold.worktree import Side, digest, place, read, remove, side

SCHEMA = 1


@dataclass(frozen=True)
class Item:
    """One path, before and after. A side of None is absent; `index` entries are (mode, oid, stage).

    `staged` is false for a path whose index entry is none of our business.
    """

    path: str
    old: Side | None
    new: Side | None
    old_index: tuple[tuple[str, str, int], ...] = ()
    new_index: tuple[tuple[str, str, int], ...] = ()
    staged: bool = True

    def swapped(self) -> "Item":
        """Return the way back."""
        return Item(self.path, self.new, self.old, self.new_index, self.old_index, self.staged)


@dataclass(frozen=True)
class Change:
    """What one command does: its words for the person, and its items.

    `kept` says that it can be taken back afterwards; without it, what was kept before goes too.
    """

    title: str
    prefix: str
    items: tuple[Item, ...]
    kept: bool = True
    contents: dict[str, bytes] = field(default_factory=dict, repr=False)  # new ones, by path


@contextmanager
def locked(project: Project) -> Iterator[None]:
    """Hold the project's repository against other updates, after completing what was killed."""
    project.state.mkdir(exist_ok=True)
    with (project.state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ScaffoldError(
                f"another update of {project.shown} is running", "wait for it to end, and retry"
            ) from error
        recover(project)
        yield


def is_pending(project: Project) -> bool:
    """Tell whether a killed command left something to complete."""
    return (project.state / "pending").is_dir()


def settle(project: Project) -> None:
    """Complete what was killed, for a command that only reads."""
    if is_pending(project):
        with locked(project):
            pass


def recover(project: Project) -> None:
    """Complete what a killed command had decided, and say so."""
    making = project.state / "making"
    if making.exists():
        shutil.rmtree(making)
    pending = project.state / "pending"
    if not pending.is_dir():
        return
    change = _load(pending)
    kept = _forward(project, pending, change)
    _keep(project, pending, change)
    console.note(f"{change.title} was interrupted; it is complete now")
    for path in kept:
        console.note(f"{path} was changed meanwhile, so it stays as you left it")


def apply(project: Project, change: Change) -> None:
    """Make the change, whole or not at all."""
    making, pending = project.state / "making", project.state / "pending"
    _free_index(project)
    try:
        _write(project, making, change)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    making.rename(pending)
    _sync(project.state)
    try:
        _forward(project, pending, change)
    except (Exception, KeyboardInterrupt):
        back = Change(change.title, change.prefix, tuple(i.swapped() for i in change.items))
        _forward(project, pending, back, backward=True)
        pending.rename(making)
        shutil.rmtree(making, ignore_errors=True)
        raise
    _keep(project, pending, change)


def last(project: Project) -> tuple[Path, Change] | None:
    """Return where the last change of this project is kept, and the change; None without one."""
    kept = _kept(project, project.prefix)
    return (kept, _load(kept)) if kept.is_dir() else None


def way_back(kept: Path, change: Change) -> Change:
    """Return the change that takes a kept one back."""
    contents = {
        item.path: (kept / "old" / str(number)).read_bytes()
        for number, item in enumerate(change.items)
        if item.old is not None
    }
    items = tuple(item.swapped() for item in change.items)
    return Change(f"undoing {change.title}", change.prefix, items, False, contents)


def _kept(project: Project, prefix: str) -> Path:
    return project.state / "undo" / (quote(prefix, safe="") or ".root")


def _write(project: Project, making: Path, change: Change) -> None:
    """Write down what is there, what shall be there, and the list; all of it safely on disk."""
    for name in ("old", "new"):
        (making / name).mkdir(parents=True)
    for number, item in enumerate(change.items):
        if item.old is not None:
            content = read(project.folder / item.path)
            if digest(content) != item.old.sha256:
                raise ScaffoldError(
                    f"{item.path} was changed a moment ago", "run the command again"
                )
            _put(making / "old" / str(number), content)
        if item.new is not None:
            _put(making / "new" / str(number), change.contents[item.path])
    listed = {
        "schema": SCHEMA,
        "title": change.title,
        "prefix": change.prefix,
        "kept": change.kept,
        "items": [asdict(item) for item in change.items],
    }
    _put(making / "journal.json", json.dumps(listed).encode("utf-8", "surrogatepass"))
    _sync(making)


def _load(folder: Path) -> Change:
    try:
        listed = json.loads((folder / "journal.json").read_bytes())
        items = tuple(
            Item(
                path=item["path"],
                old=Side(**item["old"]) if item["old"] else None,
                new=Side(**item["new"]) if item["new"] else None,
                old_index=tuple((m, o, int(s)) for m, o, s in item["old_index"]),
                new_index=tuple((m, o, int(s)) for m, o, s in item["new_index"]),
                staged=item["staged"],
            )
            for item in listed["items"]
        )
        return Change(listed["title"], listed["prefix"], items, bool(listed["kept"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScaffoldError(
            f"the journal in {folder} cannot be read", "look at it, and remove the folder"
        ) from error


def _forward(
    project: Project, folder: Path, change: Change, *, backward: bool = False
) -> list[str]:
    """Bring every path to its new side; return those that somebody changed meanwhile."""
    root = project.top / change.prefix
    source = folder / ("old" if backward else "new")
    kept = []
    for removing in (True, False):
        for number, item in enumerate(change.items):
            if (item.new is None) != removing or item.old == item.new:
                continue
            now = side(root, item.path)
            if now == item.new:
                continue
            if now != item.old:
                kept.append(item.path)
            elif item.new is None:
                remove(root, item.path)
            else:
                content = (source / str(number)).read_bytes()
                scratch = f".mlops-scaffold-{number}.tmp"
                place(root, item.path, item.new.mode, content, scratch)
    _stage(project, change)
    return kept


def _stage(project: Project, change: Change) -> None:
    """Bring the index to the new entries, where it still has the old ones; in one step of Git's."""
    now = project.index()
    lines: list[str] = []
    for item in change.items:
        if not item.staged or item.old_index == item.new_index:
            continue
        entries = now.get(item.path, {})
        held = tuple((e.mode, e.oid, stage) for stage, e in sorted(entries.items()))
        if held != item.old_index:
            continue
        name = f"{change.prefix}{item.path}"
        zero = "0" * (64 if project.form == "sha256" else 40)
        lines.insert(0, f"0 {zero}\t{name}\0")
        lines += [f"{mode} {oid} {stage}\t{name}\0" for mode, oid, stage in item.new_index]
    if lines:
        project.git("update-index", "-z", "--index-info", stdin="".join(lines))


def _free_index(project: Project) -> None:
    lock = project.git_dir / "index.lock"
    if lock.exists():
        raise ScaffoldError(
            f"Git is at work in {project.shown}: {lock} exists",
            "wait for it to end; if none runs, remove that file",
        )


def _keep(project: Project, pending: Path, change: Change) -> None:
    """Keep a completed change for `undo`, in place of the one before, or drop both."""
    kept, old = _kept(project, change.prefix), project.state / "making"
    kept.parent.mkdir(exist_ok=True)
    if kept.exists():
        kept.rename(old)
        if change.kept:
            pending.rename(kept)
        shutil.rmtree(old, ignore_errors=True)
    elif change.kept:
        pending.rename(kept)
    if not change.kept:
        pending.rename(old)
        shutil.rmtree(old, ignore_errors=True)


def _put(file: Path, content: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
