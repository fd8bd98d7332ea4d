"""What one command changes in a project, as data, and in a folder on disk."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scaffold.ground.errors import ScaffoldError
from scaffold.placing.durable import put, sync
from scaffold.placing.index import Stages
from scaffold.placing.worktree import Side, digest
from scaffold.project.record import NAME

SCHEMA = 1
_LIST, _CONTENTS = "journal.json", "contents"
Contents = dict[str, bytes]  # by their SHA-256


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

    `file` is the answers file in the folder `prefix`, if it is known: several templates can have
    made one folder.
    `kept` says that it can be taken back afterwards; without it, what was kept before goes too.
    `message` is what `git commit` shall find ready where conflicts are left; on the way back it is
    `withdrawn`.
    """

    title: str
    prefix: str
    items: tuple[Item, ...]
    kept: bool = True
    file: str = NAME
    contents: dict[str, bytes] = field(default_factory=dict, repr=False)  # new ones, by path
    message: str = ""
    withdrawn: str = ""


def store(change: Change, contents: Contents, folder: Path) -> None:
    """Make a folder that holds a change and the contents before and after it, safely on disk."""
    listed = {
        "schema": SCHEMA,
        "title": change.title,
        "prefix": change.prefix,
        "kept": change.kept,
        "file": change.file,
        "message": change.message,
        "withdrawn": change.withdrawn,
        "items": [asdict(item) for item in change.items],
        "contents": [(name, len(content)) for name, content in contents.items()],
    }
    folder.mkdir()
    put(folder / _CONTENTS, contents.values())
    put(folder / _LIST, [json.dumps(listed).encode()])
    sync(folder)


def load(folder: Path) -> Change:
    """Return the change that is stored in a folder, without the contents."""
    try:
        listed = json.loads((folder / _LIST).read_bytes())
        if listed["schema"] != SCHEMA:
            raise _unreadable(folder)
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
        file = str(listed.get("file", ""))  # the first versions did not write it
        facts = (listed["title"], listed["prefix"], items, bool(listed["kept"]), file)
        messages = [str(listed.get(name, "")) for name in ("message", "withdrawn")]
        return Change(*facts, {}, *messages)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder) from error


def made(folder: Path) -> int:
    """Return when the change in a folder was made, in nanoseconds."""
    return (folder / _LIST).stat().st_mtime_ns


def load_contents(folder: Path) -> Contents:
    """Return the contents of files before and after, by their hash."""
    found: Contents = {}
    try:
        with (folder / _CONTENTS).open("rb") as stream:
            for name, size in json.loads((folder / _LIST).read_bytes())["contents"]:
                found[name] = stream.read(size)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder) from error
    if any(digest(content) != name for name, content in found.items()):
        raise _unreadable(folder)
    return found


def _unreadable(folder: Path) -> ScaffoldError:
    return ScaffoldError(
        f"the journal in {folder} cannot be read", "look at it, and remove the folder"
    )
