"""Asks, on a terminal, what to do about each conflict; nothing in the project has changed yet."""

import os
import shlex
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from scaffold.ground import console
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.store import Entry, Store
from scaffold.merging.merge import Conflict, Merged

MINE, THEIRS, BOTH, EDIT = "mine", "theirs", "both", "edit"
_MARKERS = (b"<<<<<<< ", b">>>>>>> ")


class EditorError(ScaffoldError):
    """The person's editor did not start."""


def resolve(store: Store, merged: Merged) -> Merged:
    """Offer the conflicts one by one, and return what is left of them."""
    conflicts = merged.conflicts
    for number, conflict in enumerate(conflicts, start=1):
        console.title(f"\nconflict {number} of {len(conflicts)}: {conflict.path}")
        console.detail(f"  {conflict.kind}")
        _show(store, merged, conflict)
        while True:
            choice = _ask(merged, conflict)
            try:
                merged = settle(store, merged, conflict, choice)
                break
            except EditorError as error:
                console.error(error.cause, error.remedy)
    return merged


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


def _ask(merged: Merged, conflict: Conflict) -> str:
    import questionary

    mine = "keep yours" if 2 in conflict.stages else "keep it deleted"
    theirs = "take the template's" if 3 in conflict.stages else "delete it, as the template does"
    choices = [
        questionary.Choice(mine, MINE),
        questionary.Choice(theirs, THEIRS),
        questionary.Choice("leave both, with markers, to resolve later", BOTH),
    ]
    if is_file(merged, conflict):
        choices.append(questionary.Choice("edit it now", EDIT))
    return str(questionary.select("What shall be done?", choices=choices).unsafe_ask())


def _show(store: Store, merged: Merged, conflict: Conflict) -> None:
    """Print the lines in question, a screenful at most."""
    if not is_file(merged, conflict):
        return
    entry = merged.files[conflict.path]
    lines = store.read([entry.oid])[entry.oid].decode("utf-8", "replace").splitlines()
    shown, inside = [], False
    for line in lines:
        inside = inside or line.startswith("<<<<<<< ")
        if inside:
            shown.append(line)
        inside = inside and not line.startswith(">>>>>>> ")
    for line in shown[:24]:
        plain = line.expandtabs(4)
        console.detail(f"  | {plain if plain.isprintable() else ascii(line)}")
    if len(shown) > 24:
        console.detail(f"  | ... {len(shown) - 24} more lines")


def is_file(merged: Merged, conflict: Conflict) -> bool:
    """Tell whether a conflict is about an ordinary file, which can be edited."""
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
