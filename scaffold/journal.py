"""Puts a set of files into place in one step that can be finished, or taken back, after a kill.

First everything needed is written into the repository's own folder: what is there now, what shall
be there, and a list. From the moment that this folder gets its name, the change is decided; whoever
comes next after a kill completes it. The same folder, kept, is what `undo` works from.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from scaffold import console, git, index, interrupts
from scaffold.durable import put, sync
from scaffold.errors import ScaffoldError
from scaffold.index import Stages
from scaffold.project import Project, find_project
from scaffold.worktree import Side, digest, place, prune, read, remove, side, tidy

SCHEMA = 1


@dataclass(frozen=True)
class Item:
    """One path, before and after. A side of None is absent; `index` entries are (mode, oid, stage).

    `staged` is false for a path whose index entry is none of our business.
    """

    path: str
    old: Side | None
    new: Side | None
    old_index: Stages = ()
    new_index: Stages = ()
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
                f"another update of {project.place} is running", "wait for it to end, and retry"
            ) from error
        recover(project)
        yield


def is_pending(project: Project) -> bool:
    """Tell whether a killed command left something to complete."""
    return (project.state / "pending").is_dir()


def settle(project: Project) -> None:
    """Complete what was killed, for a command that only reads."""
    if is_pending(project) or (project.state / "making").exists():
        with locked(project):
            pass


def find(path: Path) -> Project:
    """Find a project, also one whose answers file a killed `adopt` or `undo` has yet to place."""
    try:
        return find_project(path)
    except ScaffoldError as error:
        try:
            project = find_project(path, answers=False)
        except ScaffoldError:
            raise error from None
        settle(project)
        return find_project(path)


def recover(project: Project) -> None:
    """Complete what a killed command had decided, and say so."""
    index.release(project)
    making = project.state / "making"
    if making.exists():
        shutil.rmtree(making)
    pending = project.state / "pending"
    if not pending.is_dir():
        return
    change = _load(pending)
    with interrupts.deferred():
        kept = _forward(project, pending, change)
        for number, item in enumerate(change.items):
            tidy(project.top / change.prefix, item.path, _scratch(number))
        _keep(project, pending, change)
    elsewhere = "" if change.prefix == project.prefix else f" in {change.prefix or '.'}"
    console.note(f"{change.title}{elsewhere} was interrupted; it is complete now")
    _tell(kept)


def apply(project: Project, change: Change) -> None:
    """Make the change, whole or not at all."""
    making, pending = project.state / "making", project.state / "pending"
    index.refuse_locked(project)
    change = _from_now(project, change)
    _kept(project, change.prefix).parent.mkdir(exist_ok=True)
    try:
        _write(project, making, change)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    with interrupts.deferred() as obey:
        making.rename(pending)
        try:
            sync(project.state)
            kept = _forward(project, pending, change, obey)
        except BaseException:
            _back(project, pending, change)
            pending.rename(making)
            shutil.rmtree(making, ignore_errors=True)
            raise
        _keep(project, pending, change)
    _tell(kept)


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
    return project.state / "undo" / hashlib.sha256(git.encode(prefix)).hexdigest()


def _from_now(project: Project, change: Change) -> Change:
    """Take what has its new side already for one that needs no change, so it has no way back."""
    held = index.entries(project, change.prefix)
    items = []
    for item in change.items:
        if item.old != item.new and side(project.folder, item.path) == item.new:
            item = replace(item, old=item.new)
        if held.get(item.path, ()) == item.new_index:
            item = replace(item, old_index=item.new_index)
        items.append(item)
    return replace(change, items=tuple(items))


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
            put(making / "old" / str(number), content)
        if item.new is not None:
            put(making / "new" / str(number), change.contents[item.path])
    listed = {
        "schema": SCHEMA,
        "title": change.title,
        "prefix": change.prefix,
        "kept": change.kept,
        "items": [asdict(item) for item in change.items],
    }
    put(making / "journal.json", json.dumps(listed).encode("utf-8", "surrogatepass"))
    for folder in (making / "old", making / "new", making):
        sync(folder)


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
    project: Project, pending: Path, change: Change, obey: Callable[[], None] = lambda: None
) -> list[str]:
    """Bring every path to its new side; return those that somebody changed meanwhile."""
    root, kept = project.top / change.prefix, []
    for number, item in _ordered(change):
        obey()
        if not _bring(root, item, pending / "new", number):
            kept.append(item.path)
        elif item.new is None:
            prune(root, item.path)
    _stage(project, change)
    return kept


def _back(project: Project, pending: Path, change: Change) -> None:
    """Take back, in the opposite order, what `_forward` did: so it needs no more room on disk."""
    root = project.top / change.prefix
    for number, item in reversed(_ordered(change)):
        _bring(root, item.swapped(), pending / "old", number)
    _stage(project, replace(change, items=tuple(item.swapped() for item in change.items)))


def _ordered(change: Change) -> list[tuple[int, Item]]:
    """Return the items with their numbers, removals first: a file may make way for a folder."""
    return sorted(enumerate(change.items), key=lambda pair: pair[1].new is not None)


def _bring(root: Path, item: Item, source: Path, number: int) -> bool:
    """Bring one path to its new side, unless it has another than the old one by now."""
    if item.old == item.new:
        return True
    now = side(root, item.path)
    if now == item.new:
        return True
    if now != item.old:
        return False
    if item.new is None:
        remove(root, item.path)
    else:
        content = (source / str(number)).read_bytes()
        place(root, item.path, item.new.mode, content, _scratch(number))
    return True


def _stage(project: Project, change: Change) -> None:
    """Bring the index to the new entries, where it still has the old ones."""
    now = index.entries(project, change.prefix)
    wanted = [
        (item.path, item.new_index)
        for item in change.items
        if item.staged
        and item.old_index != item.new_index
        and now.get(item.path, ()) == item.old_index
    ]
    index.change(project, change.prefix, wanted)


def _scratch(number: int) -> str:
    return f".mlops-scaffold-{number}.tmp"


def _tell(kept: list[str]) -> None:
    for path in kept:
        console.note(f"{path} was changed meanwhile, so it stays as you left it")


def _keep(project: Project, pending: Path, change: Change) -> None:
    """Keep a completed change for `undo`, in place of the one before, or drop both."""
    kept, old = _kept(project, change.prefix), project.state / "making"
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
