"""Turns an agreed proposal into the change that the journal makes: contents, modes, index."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from scaffold.ground.errors import ScaffoldError
from scaffold.ground.store import Store
from scaffold.merging.proposal import Proposal
from scaffold.placing.change import Change, Item
from scaffold.placing.index import as_stages
from scaffold.placing.worktree import Side, made, side
from scaffold.project.project import Project

SUBMODULE = "160000"


def change(project: Project, store: Store, proposal: Proposal, title: str, message: str) -> Change:
    """Copy the new contents into the project's repository, and return what is to be done.

    The copied objects are unreachable until the index names them, so nothing has happened yet.
    `message` is for the commit, where conflicts are left.
    """
    files = proposal.merged.files
    stages = {c.path: c.stages for c in proposal.merged.conflicts}
    entries = [files[path] for path in proposal.touched if path in files]
    entries += [entry for conflict in stages.values() for entry in conflict.values()]
    left = [entry for entry in proposal.left.values() if entry]
    blobs = store.read(e.oid for e in entries + left if e.mode != SUBMODULE)
    known = {entry.oid for entry in proposal.ours.values()}
    _copy(project, {e.oid: blobs[e.oid] for e in entries if e.oid in blobs and e.oid not in known})
    items, contents = [], {}
    for path in proposal.touched:
        entry, ours = files.get(path), proposal.ours.get(path)
        if SUBMODULE in (getattr(entry, "mode", ""), getattr(ours, "mode", "")):
            raise ScaffoldError(
                f"the template wants to put something in place of the submodule {path}",
                "move the submodule, or choose another version with --to",
            )
        new: Side | None = None
        if entry is not None:
            content = blobs[entry.oid]
            if not entry.is_link:
                content = proposal.ends.in_work_tree(path, content)
            contents[path], new = content, made(entry.mode, content)
        index = as_stages(stages.get(path, {0: entry} if entry else {}))
        before = as_stages({0: ours} if ours else {})
        items.append(Item(path, side(project.folder, path), new, before, index))
    for path, entry in proposal.left.items():
        new = None
        if entry is not None:
            contents[path], new = blobs[entry.oid], made(entry.mode, blobs[entry.oid])
        items.append(Item(path, side(project.folder, path), new, staged=False))
    file = project.answers_file
    facts = (title, project.prefix, tuple(items), True, file, contents)
    return Change(*facts, message=message)


def _copy(project: Project, blobs: dict[str, bytes]) -> None:
    """Store contents in the project's repository, unfiltered."""
    if not blobs:
        return
    with tempfile.TemporaryDirectory(prefix="mlops-scaffold-") as scratch:
        for oid, content in blobs.items():
            Path(scratch, oid).write_bytes(content)
        names = _lines(str(Path(scratch, oid)) for oid in blobs)
        project.git("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=names)


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in names)
