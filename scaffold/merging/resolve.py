"""Asks, on a terminal, what to do about each conflict; nothing in the project has changed yet."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scaffold.ground import console
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.store import Entry, Store
from scaffold.merging.hunks import Hunk, find, split, taken
from scaffold.merging.merge import OURS, Conflict, Merged

MINE, THEIRS, BOTH, EDIT, PLACES = "mine", "theirs", "both", "edit", "places"
_LATER = "leave both, with markers, to resolve later"
_SHOWN = 24  # lines
_MARKERS = (b"<<<<<<< ", b">>>>>>> ")


class EditorError(ScaffoldError):
    """The person's editor did not start."""


@dataclass(frozen=True)
class Settled:
    """The outcome, and how many changes of the template were declined, by file."""

    merged: Merged
    declined: dict[str, int] = field(default_factory=dict)


def resolve(store: Store, merged: Merged) -> Settled:
    """Offer the conflicts one by one, and return what is left of them."""
    conflicts, declined = merged.conflicts, {}
    for number, conflict in enumerate(conflicts, start=1):
        console.title(f"\nconflict {number} of {len(conflicts)}: {console.plain(conflict.path)}")
        console.detail(f"  {conflict.kind}")
        hunks = _hunks(store, merged, conflict)
        _show(store, merged, conflict, hunks)
        merged, count = _settled(store, merged, conflict, hunks)
        if count:
            declined[conflict.path] = count
    return Settled(merged, declined)


def _settled(
    store: Store, merged: Merged, conflict: Conflict, hunks: list[Hunk]
) -> tuple[Merged, int]:
    """Ask until a choice works; return the outcome, and how many changes it declines."""
    while True:
        choice = _ask(store, merged, conflict, hunks)
        if choice == PLACES:
            return _by_place(store, merged, conflict, hunks)
        try:
            after = settle(store, merged, conflict, choice)
        except EditorError as error:
            console.error(error.cause, error.remedy)
            continue
        is_open = any(other.path == conflict.path for other in after.conflicts)
        mine = conflict.stages.get(2)
        is_mine = choice == MINE or (choice == EDIT and after.files.get(conflict.path) == mine)
        declines = is_mine and not is_open and set(conflict.stages) & {2, 3}
        return after, max(len(hunks), 1) if declines else 0


def settle(store: Store, merged: Merged, conflict: Conflict, choice: str) -> Merged:
    """Return the outcome with one conflict settled as chosen; `both` leaves it to Git's tools."""
    files = dict(merged.files)
    if choice == BOTH:
        return merged
    if choice in (MINE, THEIRS):
        entry = conflict.stages.get(2 if choice == MINE else 3)
    else:
        entry = _edit(store, files[conflict.path], conflict.path)
        if entry is None:
            return merged
    files.pop(conflict.path, None)
    if entry is not None:
        files[conflict.path] = entry
    left = tuple(other for other in merged.conflicts if other.path != conflict.path)
    return replace(merged, files=files, conflicts=left)


def _by_place(
    store: Store, merged: Merged, conflict: Conflict, hunks: list[Hunk]
) -> tuple[Merged, int]:
    """Settle each place by itself; the file stays a conflict while one is left."""
    entry = merged.files[conflict.path]
    lines = split(store.read([entry.oid])[entry.oid])
    chosen: dict[int, tuple[bytes, ...]] = {}
    declined = 0
    for number, hunk in enumerate(hunks):
        _show_hunks(lines, hunks, [number])
        choice = _select({"keep yours": MINE, "take the template's": THEIRS, _LATER: BOTH})
        if choice != BOTH:
            chosen[number] = (hunk.mine if choice == MINE else hunk.theirs).lines
        declined += choice == MINE
    made = Entry(entry.mode, store.blob(b"".join(taken(lines, hunks, chosen))))
    left = merged.conflicts
    if len(chosen) == len(hunks):
        left = tuple(other for other in left if other.path != conflict.path)
    return replace(merged, files={**merged.files, conflict.path: made}, conflicts=left), declined


def _ask(store: Store, merged: Merged, conflict: Conflict, hunks: list[Hunk]) -> str:
    mine = "keep yours" if 2 in conflict.stages else "keep it deleted"
    theirs = "take the template's" if 3 in conflict.stages else "delete it, as the template does"
    has_markers = _has_markers(store, merged, conflict)
    choices = {mine: MINE, theirs: THEIRS, _LATER if has_markers else "leave it for later": BOTH}
    one_side = not {2, 3} <= set(conflict.stages)
    if has_markers or (one_side and is_text(store, merged, conflict)):
        choices["edit it now"] = EDIT
    if len(hunks) > 1 and all(hunk.where for hunk in hunks):
        choices["decide place by place"] = PLACES
    return _select(choices)


def _select(choices: dict[str, str]) -> str:
    import questionary

    offered = [questionary.Choice(title, value) for title, value in choices.items()]
    return str(questionary.select("What shall be done?", choices=offered).unsafe_ask())


def _hunks(store: Store, merged: Merged, conflict: Conflict) -> list[Hunk]:
    if not is_text(store, merged, conflict):
        return []
    return find(store, _content(store, merged, conflict), conflict)


def _show(store: Store, merged: Merged, conflict: Conflict, hunks: list[Hunk]) -> None:
    """Print the lines in question, a screenful at most; of what is no text, the sizes."""
    if is_text(store, merged, conflict):
        _show_hunks(split(_content(store, merged, conflict)), hunks, range(len(hunks)))
    elif is_file(merged, conflict):
        sides = {2: "yours", 3: "the template's"}
        for stage, whose in sides.items():
            if entry := conflict.stages.get(stage):
                size = len(store.read([entry.oid])[entry.oid])
                console.detail(f"  | {whose}: {size:,} bytes")


def _show_hunks(lines: list[bytes], hunks: list[Hunk], numbers: Sequence[int]) -> None:
    """Print places with their markers, and a line before and after each."""
    shown = []
    for number in numbers:
        hunk = hunks[number]
        others = [other for other in hunks if other is not hunk]
        place = f"place {number + 1} of {len(hunks)}" if len(hunks) > 1 else ""
        shown.append(("  " + ": ".join(filter(None, (place, hunk.where)))).rstrip())
        for at in range(max(hunk.start - 1, 0), min(hunk.end + 1, len(lines))):
            if not any(other.start <= at < other.end for other in others):
                line = lines[at].decode("utf-8", "replace").rstrip("\r\n").expandtabs(4)
                shown.append(f"  | {console.plain(line)}")
    for text in filter(None, shown[:_SHOWN]):
        console.detail(text)
    if len(shown) > _SHOWN:
        console.detail(f"  | ... {len(shown) - _SHOWN} more lines")


def _content(store: Store, merged: Merged, conflict: Conflict) -> bytes:
    oid = merged.files[conflict.path].oid
    return store.read([oid])[oid]


def _has_markers(store: Store, merged: Merged, conflict: Conflict) -> bool:
    """Tell whether Git has marked places, so that there is something to edit."""
    if not is_text(store, merged, conflict):
        return False
    return any(
        line.startswith(_MARKERS[0] + OURS.encode())
        for line in _content(store, merged, conflict).splitlines()
    )


def is_text(store: Store, merged: Merged, conflict: Conflict) -> bool:
    """Tell whether a conflict is about an ordinary file that Git takes for text, on either side."""
    if not is_file(merged, conflict):
        return False
    entries = [entry for stage, entry in conflict.stages.items() if stage != 1]
    sides = [entry.oid for entry in entries if entry.mode.startswith("100")]
    contents = store.read([*sides, merged.files[conflict.path].oid])
    return not any(b"\0" in content[:8000] for content in contents.values())


def is_file(merged: Merged, conflict: Conflict) -> bool:
    """Tell whether a conflict is about an ordinary file."""
    entry = merged.files.get(conflict.path)
    return entry is not None and entry.mode.startswith("100")


def _edit(store: Store, entry: Entry, path: str) -> Entry | None:
    """Let the person edit the merged file; None, and a note why, while it stays a conflict."""
    with tempfile.TemporaryDirectory(prefix="mlops-scaffold-") as scratch:
        file = Path(scratch, Path(path).name)
        file.write_bytes(store.read([entry.oid])[entry.oid])
        code = _run_editor(file)
        content = file.read_bytes() if file.is_file() else None
    problem = None
    if code:
        problem = f"the editor ended with {code}"
    elif content is None:
        problem = "the editor removed it"
    elif any(line.startswith(_MARKERS) for line in content.splitlines()):
        problem = "it still has conflict markers"
    if problem or content is None:
        console.note(f"{path} stays a conflict: {problem}")
        return None
    return Entry(entry.mode, store.blob(content))


def _run_editor(file: Path) -> int:
    """Return the exit code of the person's editor."""
    names = (os.environ.get("VISUAL", ""), os.environ.get("EDITOR", ""), "vi")
    editor = next(name for name in names if name.strip())
    try:
        return subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
    except (OSError, ValueError) as error:  # ValueError: a quotation without an end
        raise EditorError(
            f"the editor {editor!r} cannot be started: {getattr(error, 'strerror', error)}",
            "choose something else now, and set EDITOR to yours for the next time",
        ) from error
