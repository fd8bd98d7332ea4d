"""Asks, on a terminal, what to do about each conflict; nothing in the project has changed yet."""

import os
import shlex
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from scaffold import console
from scaffold.errors import ScaffoldError
from scaffold.merge import Conflict, Merged
from scaffold.store import Entry, Store

MINE, THEIRS, BOTH, EDIT = "mine", "theirs", "both", "edit"
_MARKERS = (b"<<<<<<< ", b">>>>>>> ")


def resolve(store: Store, merged: Merged) -> Merged:
    """Offer the conflicts one by one, and return what is left of them."""
    for number, conflict in enumerate(merged.conflicts, start=1):
        console.title(f"\nconflict {number} of {len(merged.conflicts)}: {conflict.path}")
        console.detail(f"  {conflict.kind}")
        _show(store, merged, conflict)
        choice = _ask(merged, conflict)
        merged = settle(store, merged, conflict, choice)
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
            console.note(f"{conflict.path} still has conflict markers, so it stays a conflict")
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
    if conflict.path in merged.files:
        choices.append(questionary.Choice("edit it now", EDIT))
    return str(questionary.select("What shall be done?", choices=choices).unsafe_ask())


def _show(store: Store, merged: Merged, conflict: Conflict) -> None:
    """Print the lines in question, a screenful at most."""
    entry = merged.files.get(conflict.path)
    if entry is None or not entry.mode.startswith("100"):
        return
    lines = store.read([entry.oid])[entry.oid].decode("utf-8", "replace").splitlines()
    shown, inside = [], False
    for line in lines:
        inside = inside or line.startswith("<<<<<<< ")
        if inside:
            shown.append(line)
        inside = inside and not line.startswith(">>>>>>> ")
    for line in shown[:24]:
        console.detail(f"  | {line if line.isprintable() else ascii(line)}")
    if len(shown) > 24:
        console.detail(f"  | ... {len(shown) - 24} more lines")


def _edit(store: Store, entry: Entry, path: str) -> Entry | None:
    """Let the person edit the merged file; None while markers are left in it."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="mlops-scaffold-") as scratch:
        file = Path(scratch, Path(path).name)
        file.write_bytes(store.read([entry.oid])[entry.oid])
        try:
            code = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
        except OSError as error:
            raise ScaffoldError(
                f"the editor {editor!r} cannot be started: {error.strerror}",
                "set EDITOR to yours; nothing was changed",
            ) from error
        content = file.read_bytes()
    if code or any(line.startswith(_MARKERS) for line in content.splitlines()):
        return None
    return Entry(entry.mode, store.blob(content))
