"""Puts a set of files into place in one step that can be finished, or taken back, after a kill.

First everything needed is written into the repository's own folder: what is there now, what shall
be there, and a list. From the moment that this folder gets its name, the change is decided; whoever
comes next after a kill completes it. The same folder, kept, is what `undo` works from.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from scaffold.ground import console, git, interrupts
from scaffold.ground.errors import ScaffoldError
from scaffold.placing import index, message
from scaffold.placing.change import Change, Contents, Item, load, load_contents, made, store
from scaffold.placing.durable import sync
from scaffold.placing.worktree import digest, place, prune, read, remove, side, tidy
from scaffold.project.project import Project, find_project
from scaffold.project.record import NAME


class Busy(ScaffoldError):
    """Another process works on the project."""


@contextmanager
def locked(project: Project) -> Iterator[None]:
    """Hold the project's repository against other updates, after completing what was killed."""
    project.state.mkdir(exist_ok=True)
    with (project.state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Busy(
                f"another update of {project.place} is running", "wait for it to end, and retry"
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
    elif (project.state / "making").exists():
        with suppress(Busy), locked(project):
            pass


def find(path: Path, named: str | None = None) -> Project:
    """Find a project, also one whose answers file a killed `adopt` or `undo` has yet to place."""
    try:
        return find_project(path, named)
    except ScaffoldError:
        bare = None
        with suppress(ScaffoldError):
            bare = find_project(path, named, answers=False)
        if bare is not None:
            settle(bare)
        return find_project(path, named)


def recover(project: Project) -> None:
    """Complete what a killed command had decided, and say so."""
    index.release(project)
    making = project.state / "making"
    if making.exists():
        shutil.rmtree(making)
    pending = project.state / "pending"
    if not pending.is_dir():
        return
    change = load(pending)
    with interrupts.deferred():
        kept = _forward(project, change, load_contents(pending))
        scratch = _scratch(change)
        for number, item in enumerate(change.items):
            tidy(project.top / change.prefix, item.path, scratch.format(number))
        _keep(project, pending, change)
    where = "" if change.prefix == project.prefix else f" in {change.prefix or '.'}"
    console.note(f"{change.title}{where} was interrupted; it is complete now")
    _tell(kept)


def apply(project: Project, change: Change) -> None:
    """Make the change, whole or not at all."""
    making, pending = project.state / "making", project.state / "pending"
    index.refuse_locked(project)
    if not change.kept:
        change = _from_now(project, change)
    _kept(project, change.prefix, change.file).parent.mkdir(exist_ok=True)
    with interrupts.deferred() as obey:
        try:
            contents = _write(project, making, change)
            obey()
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        making.rename(pending)
        try:
            sync(project.state)
            kept = _forward(project, change, contents, obey)
        except BaseException:
            _back(project, change, contents)
            pending.rename(making)
            shutil.rmtree(making, ignore_errors=True)
            raise
        _keep(project, pending, change)
    _tell(kept)


def last(project: Project) -> tuple[Path, Change] | None:
    """Return where the last change of this project is kept, and the change; None without one."""
    own = _kept(project, project.prefix, project.answers_file)
    for kept in (own, _kept(project, project.prefix, NAME)):  # where the first versions kept it
        if kept.is_dir():
            change = load(kept)
            of = (change.file,) if change.file else tuple(item.path for item in change.items)
            if project.answers_file in of:
                return kept, change
    return None


def latest(project: Project) -> tuple[Path, Change] | None:
    """Return the last change of the folder, whichever of its templates it came from."""
    found = []
    for kept in (project.state / "undo").glob("*"):
        with suppress(ScaffoldError, FileNotFoundError):  # another folder's may be damaged
            found.append((made(kept), kept, load(kept)))
    here = [entry for entry in found if entry[2].prefix == project.prefix]
    return max(here, key=lambda entry: entry[0])[1:] if here else None


def way_back(kept: Path, change: Change) -> Change:
    """Return the change that takes a kept one back."""
    known = load_contents(kept)
    contents = {item.path: known[item.old.sha256] for item in change.items if item.old}
    items = tuple(item.swapped() for item in change.items)
    title = f"undoing {change.title}"
    facts = (title, change.prefix, items, False, change.file, contents)
    return Change(*facts, withdrawn=change.message)


def _kept(project: Project, prefix: str, file: str) -> Path:
    """Return where the last change is kept, of those that one template made in one folder."""
    facts = prefix if file in ("", NAME) else f"{prefix}\0{file}"
    return project.state / "undo" / hashlib.sha256(git.encode(facts)).hexdigest()


def _from_now(project: Project, change: Change) -> Change:
    """Take what somebody has brought back already for what needs no change, and is left alone."""
    held = index.entries(project, change.prefix)
    items = []
    for item in change.items:
        if item.old != item.new and side(project.folder, item.path) == item.new:
            item = replace(item, old=item.new)
        if held.get(item.path, ()) == item.new_index:
            item = replace(item, old_index=item.new_index)
        items.append(item)
    return replace(change, items=tuple(items))


def _write(project: Project, making: Path, change: Change) -> Contents:
    """Write down what is there, what shall be there, and the list; all of it safely on disk."""
    contents: Contents = {}
    for item in change.items:
        if item.old is not None:
            content = read(project.folder / item.path)
            if digest(content) != item.old.sha256:
                raise ScaffoldError(
                    f"{item.path} was changed a moment ago", "run the command again"
                )
            contents[item.old.sha256] = content
        if item.new is not None:
            contents[item.new.sha256] = change.contents[item.path]
    store(change, contents, making)
    return contents


def _forward(
    project: Project, change: Change, contents: Contents, obey: Callable[[], None] = lambda: None
) -> list[str]:
    """Bring every path to its new side; return those that somebody changed meanwhile."""
    root, scratch, kept = project.top / change.prefix, _scratch(change), []
    for number, item in _ordered(change):
        obey()
        if not _bring(root, item, contents, scratch.format(number)):
            kept.append(item.path)
        elif item.new is None and item.old is not None:
            prune(root, item.path)
    _stage(project, change)
    _prepare_message(project, change)
    return kept


def _back(project: Project, change: Change, contents: Contents) -> None:
    """Take back, in the opposite order, what `_forward` did: so it needs no more room on disk."""
    root, scratch = project.top / change.prefix, _scratch(change)
    for number, item in reversed(_ordered(change)):
        _bring(root, item.swapped(), contents, scratch.format(number))
    _stage(project, replace(change, items=tuple(item.swapped() for item in change.items)))
    if change.message:
        message.withdraw(project, change.message)


def _ordered(change: Change) -> list[tuple[int, Item]]:
    """Return the items with their numbers, removals first: a file may make way for a folder."""
    return sorted(enumerate(change.items), key=lambda pair: pair[1].new is not None)


def _bring(root: Path, item: Item, contents: Contents, scratch: str) -> bool:
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
        place(root, item.path, item.new.mode, contents[item.new.sha256], scratch)
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


def _prepare_message(project: Project, change: Change) -> None:
    """Lay ready what to say of the commit, while one of the change's conflicts is left."""
    if change.withdrawn:
        message.withdraw(project, change.withdrawn)
    if not change.message:
        return
    now = index.entries(project, change.prefix)
    conflicts = [i for i in change.items if any(stage for _, _, stage in i.new_index)]
    if any(now.get(item.path, ()) == item.new_index for item in conflicts):
        message.offer(project, change.message)


def _scratch(change: Change) -> str:
    """Return a pattern of names that no file of the person's has, the same again after a kill."""
    facts = repr((change.title, change.prefix, [(i.path, i.old, i.new) for i in change.items]))
    return f".mlops-scaffold-{digest(facts.encode('utf-8', 'surrogatepass'))[:12]}-{{}}.tmp"


def _tell(kept: list[str]) -> None:
    for path in kept:
        console.note(f"{path} was changed meanwhile, so it stays as you left it")


def _keep(project: Project, pending: Path, change: Change) -> None:
    """Keep a completed change for `undo`, in place of the one before, or drop both."""
    kept, gone = _kept(project, change.prefix, change.file), project.state / "making"
    if kept.exists():
        kept.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    pending.rename(kept if change.kept else gone)
    shutil.rmtree(gone, ignore_errors=True)
