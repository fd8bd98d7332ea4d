"""Three Git trees in, one merged tree and its conflicts out. Git does the merging.

It knows nothing of projects on disk: what comes out is a proposal, and nothing is touched.
"""

import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, replace

from scaffold.ground.store import Entry, Store, Tree

OURS, LABEL = "project", "template-"  # how the sides are called in conflict markers
_REF = re.compile(r"[^A-Za-z0-9._+-]+")
_WHO = "mlops-scaffold <mlops-scaffold@localhost> 0 +0000"
# What git calls a file that one side deleted and the other changed.
_KINDS = {
    "CONFLICT (binary)": "both changed it, and it is no text",
    "CONFLICT (distinct types)": "one is a link, the other a file",
    "CONFLICT (file/directory)": "a file and a folder have the same name",
    "CONFLICT (rename/rename)": "both renamed it, to different names",
    "CONFLICT (submodule)": "it is a submodule",
}
_DELETED = ("CONFLICT (modify/delete)", "CONFLICT (rename/delete)")


@dataclass(frozen=True)
class Conflict:
    """A path on which the sides do not agree: its index stages (1 base, 2 project, 3 template)."""

    path: str
    stages: dict[int, Entry]
    kind: str


@dataclass(frozen=True)
class Merged:
    """The outcome: the files (conflicting ones with markers), the conflicts, and what the person
    deleted and the template changed, which stays deleted."""

    files: Tree
    conflicts: tuple[Conflict, ...]
    kept_deleted: tuple[str, ...]


def merge(store: Store, base: str, ours: str, theirs: str, version: str) -> Merged:
    """Merge the changes from one tree to another into a third.

    Args:
        store: holds, or borrows, the objects of all three.
        base: tree of the template's old version.
        ours: tree of the project.
        theirs: tree of the template's new version.
        version: names their side in conflict markers.

    """
    label = f"{LABEL}{_REF.sub('-', version).strip('.-') or 'new'}"
    heads = (("base", base, ""), (OURS, ours, "base"), (label, theirs, "base"))
    store.run("fast-import", "--quiet", "--force", stdin="".join(_commit(*head) for head in heads))
    output = store.raw(
        "merge-tree", "--write-tree", "-z", "--messages", OURS, label, allowed=1
    ).decode("utf-8", "surrogateescape")
    tree, stages, kinds = _parse(output)
    files = store.list(tree)
    conflicts, kept = [], []
    for path, entries in sorted(stages.items()):
        kind = kinds.get(path, "CONFLICT")
        if kind in _DELETED and 2 not in entries:
            files.pop(path, None)
            kept.append(path)
        else:
            conflicts.append(Conflict(path, entries, _named(kind, entries)))
    return Merged(files, tuple(conflicts), tuple(kept))


def keep_walls(merged: Merged, ours: Tree, walls: Set[str]) -> Merged:
    """Leave links and submodules of the project where they are, which Git would move aside.

    It does so for a file in there that the project has no more and the template changed.
    """
    files, conflicts = dict(merged.files), merged.conflicts
    for wall in walls:
        if files.get(wall) == ours[wall]:
            continue
        aside = [
            conflict
            for conflict in conflicts
            if conflict.path.startswith(f"{wall}~") and conflict.stages == {2: ours[wall]}
        ]
        if aside and not any(path.startswith(f"{wall}/") for path in files):
            conflicts = tuple(conflict for conflict in conflicts if conflict not in aside)
            for conflict in aside:
                files.pop(conflict.path, None)
            files[wall] = ours[wall]
    return replace(merged, files=files, conflicts=conflicts)


def _commit(name: str, tree: str, parent: str) -> str:
    """Return the fast-import commands for a branch that holds one tree."""
    start = f"from refs/heads/{parent}\n" if parent else ""
    return (
        f"commit refs/heads/{name}\ncommitter {_WHO}\ndata 0\n{start}deleteall\n"
        f'M 040000 {tree} ""\n\n'
    )


def _parse(output: str) -> tuple[str, dict[str, dict[int, Entry]], dict[str, str]]:
    """Read what `merge-tree --write-tree -z --messages` prints.

    The tree, then `mode oid stage TAB path` for each unmerged entry, an empty field, then messages:
    how many paths, the paths, the kind, the text.
    """
    fields = iter(output.split("\0"))
    tree = next(fields)
    stages: dict[str, dict[int, Entry]] = {}
    for field in fields:
        if not field:
            break
        facts, path = field.split("\t", 1)
        mode, oid, stage = facts.split(" ")
        stages.setdefault(path, {})[int(stage)] = Entry(mode, oid)
    kinds: dict[str, str] = {}
    for field in fields:
        if not field.isdigit():
            continue
        paths = [next(fields) for _ in range(int(field))]
        kind, _ = next(fields), next(fields)
        if kind.startswith("CONFLICT"):
            for path in paths:
                kinds.setdefault(path, kind)
    return tree, stages, kinds


def _named(kind: str, stages: dict[int, Entry]) -> str:
    """Say what the sides did, in words."""
    if kind in _KINDS:
        return _KINDS[kind]
    if 2 not in stages:
        return "the template's file has no place here"
    if 3 not in stages:
        return "you changed it, the template deleted it" if 1 in stages else "yours is in its place"
    return "both changed it" if 1 in stages else "both added it"


def adapt_line_ends(
    base: Tree, ours: Tree, theirs: Tree, store: Store, *, converts: Callable[[str], bool]
) -> tuple[Tree, Tree]:
    """Give the template's files the line ends that the project has chosen for them.

    Otherwise every line would differ. For a new file, `converts` tells whether the project keeps
    LF in Git for it.
    """
    changed = [path for path, entry in theirs.items() if base.get(path) != entry]
    trees = (base, ours, theirs)
    texts = store.read(tree[p].oid for p in changed for tree in trees if _is_file(tree, p))
    new_base, new_theirs = dict(base), dict(theirs)
    for path in changed:
        if not _is_file(theirs, path):
            continue
        if _is_file(ours, path):
            wanted = _ends(texts[ours[path].oid])
        else:
            wanted = b"\n" if converts(path) else None
        for tree, new in ((base, new_base), (theirs, new_theirs)):
            if wanted is None or not _is_file(tree, path):
                continue
            text = texts[tree[path].oid]
            if _ends(text) not in (None, wanted):
                unix = text.replace(b"\r\n", b"\n")
                content = unix if wanted == b"\n" else unix.replace(b"\n", b"\r\n")
                new[path] = replace(tree[path], oid=store.blob(content))
    return new_base, new_theirs


def _is_file(tree: Tree, path: str) -> bool:
    return path in tree and tree[path].mode.startswith("100")


def _ends(content: bytes) -> bytes | None:
    """Return how the lines of a text end; None for binary, for one line, and for a mixture."""
    if b"\0" in content[:8000]:
        return None
    both, lines = content.count(b"\r\n"), content.count(b"\n")
    if not lines or 0 < both < lines:
        return None
    return b"\r\n" if both else b"\n"


def without(tree: Tree, paths: Iterable[str]) -> Tree:
    """Return a tree without some paths."""
    left_out = set(paths)
    return {path: entry for path, entry in tree.items() if path not in left_out}
