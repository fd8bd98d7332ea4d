"""What a merge means for one project: which files it touches, and what stands in its way.

Nothing is written here but in our own scratch repository.
"""

import os
import re
from collections.abc import Callable, Set
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from scaffold.ground import paths
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.ground.store import Entry, Store, Tree
from scaffold.merging.merge import Merged, adapt_line_ends, keep_walls, merge, without
from scaffold.project.lineends import LineEnds
from scaffold.project.project import Project, is_inside

# Attributes under which the work tree holds something else than Git does, by a program's doing.
_CONVERTED = ("filter", "working-tree-encoding", "ident")
_MERGE_DRIVERS = {"union": "merge=union", "binary": "-merge", "unset": "-merge", "set": "merge"}
_PLAIN = re.compile(r"[A-Za-z0-9._/+-]+")


@dataclass(frozen=True)
class Proposal:
    """The merged project beside the committed one.

    `base` and `tree` are the trees that the template's changes start from, and of the project.

    `behind` are new files of the template whose folder is a link, or a submodule, of the person's:
    they stay out.

    `left` maps a path under a filter (LFS, say) to its new content, None to remove it: it goes into
    the work tree, and `git add` is left to the person, whose filter we never run.
    """

    base: str
    tree: str
    ours: Tree
    theirs: Tree
    merged: Merged
    ends: LineEnds
    left: dict[str, Entry | None] = field(default_factory=dict)
    behind: tuple[str, ...] = ()

    @property
    def conflicting(self) -> set[str]:
        """The paths with a conflict."""
        return {conflict.path for conflict in self.merged.conflicts}

    @property
    def touched(self) -> list[str]:
        """The paths whose file or index entry changes, sorted."""
        files = self.merged.files
        changed = {p for p in {*self.ours, *files} if self.ours.get(p) != files.get(p)}
        return sorted(changed | self.conflicting)


def propose(
    project: Project,
    store: Store,
    base: str,
    theirs: str,
    version: str,
    skips: Callable[[str], bool],
) -> Proposal:
    """Merge what the template changed between two trees into the project's last commit.

    Args:
        project: whose last commit is merged into.
        store: holds both trees and borrows the project's objects.
        base: tree of the old version, as rendered.
        theirs: tree of the new version, as rendered.
        version: names the new one in conflict markers.
        skips: tells which paths the template leaves alone once they exist.

    Raises:
        ScaffoldError: a file would be touched that only a program of the person's can convert.

    """
    ours, old, new = project.committed, store.list(base), store.list(theirs)
    untouchable = [p for p in {*old, *new} if skips(p) and _exists(project, ours, p)]
    old, new = without(old, untouchable), without(new, untouchable)
    walls = {p for p, e in ours.items() if e.mode in ("120000", "160000") and old.get(p) != e}
    behind = tuple(sorted(p for p in new if p not in old and _is_behind(walls, p)))
    new = without(new, behind)
    changed = [path for path in {*old, *new} if old.get(path) != new.get(path)]
    attributes = project.attributes(changed)
    filtered = [path for path in changed if _is_converted(attributes.get(path, {}))]
    left = _left(project, store, ours, old, new, filtered)
    old, new = without(old, filtered), without(new, filtered)
    ends = LineEnds(attributes, project.setting("core.autocrlf"), project.setting("core.eol"))
    old, new = adapt_line_ends(old, ours, new, store, converts=ends.stores_lf)
    _use_merge_attributes(store, {p: a["merge"] for p, a in attributes.items() if "merge" in a})
    start = store.write(old)
    merged = merge(store, start, project.committed_tree, store.write(new), version)
    merged = keep_walls(merged, ours, walls)
    merged = _with_answers_of(new, merged, project.answers_file)
    proposal = Proposal(start, project.committed_tree, ours, new, merged, ends, left, behind)
    everywhere = project.attributes(proposal.touched)
    _check(proposal, everywhere)
    return replace(proposal, ends=replace(ends, attributes=everywhere))


def obstacles(project: Project, proposal: Proposal) -> dict[str, list[str]]:
    """Return what uncommitted work the proposal would touch: reason to paths."""
    index, files_have_modes = project.index(), project.setting("core.fileMode") != "false"
    hashes = project.hashes(path for path in proposal.touched if path in proposal.ours)
    removed = {path for path in proposal.touched if path not in proposal.merged.files}
    found: dict[str, list[str]] = {}
    for path in proposal.touched:
        entry, staged, now = proposal.ours.get(path), index.get(path, {}), hashes.get(path)
        if entry is None:
            if staged:
                found.setdefault("staged", []).append(path)
            elif blocker := _in_the_way(project, path, removed):
                found.setdefault("untracked", []).append(blocker)
        elif staged != {0: entry}:
            found.setdefault("staged", []).append(path)
        elif now is None or now.oid != entry.oid or (files_have_modes and now.mode != entry.mode):
            found.setdefault("changed", []).append(path)
    return {reason: sorted(set(paths)) for reason, paths in found.items()}


def _in_the_way(project: Project, path: str, removed: Set[str]) -> str | None:
    """Return the path of what lies where a new file must go."""
    at = project.folder
    parts = path.split("/")
    for depth, part in enumerate(parts[:-1], start=1):
        at = at / part
        here = "/".join(parts[:depth])
        if at.is_symlink() or (at.exists() and not at.is_dir()):
            return None if here in removed else here
        if not at.is_dir():
            return None
    target = at / parts[-1]
    if target.is_dir() and not target.is_symlink():
        for folder, _, files in os.walk(target):
            inside = os.path.relpath(folder, project.folder)
            for name in files:
                if f"{inside}/{name}" not in removed:
                    return f"{inside}/{name}"
        return None
    return path if os.path.lexists(target) else None


def _exists(project: Project, ours: Tree, path: str) -> bool:
    return path in ours or os.path.lexists(project.folder / path)


def _is_behind(walls: Set[str], path: str) -> bool:
    """Tell whether a folder on the way to a path is one of these."""
    return any(str(parent) in walls for parent in PurePosixPath(path).parents)


def _is_converted(attributes: dict[str, str]) -> bool:
    return any(attributes.get(name, "unset") != "unset" for name in _CONVERTED)


def _left(
    project: Project, store: Store, ours: Tree, old: Tree, new: Tree, filtered: list[str]
) -> dict[str, Entry | None]:
    """Decide about files under a filter, which we do not run: by what the work tree holds."""
    wanted = [tree[path].oid for path in filtered for tree in (old, new) if path in tree]
    contents = store.read(wanted)
    left: dict[str, Entry | None] = {}
    refused = []
    for path in filtered:
        file = project.folder / path
        ordinary = is_inside(project.folder, path) and file.is_file() and not file.is_symlink()
        now = file.read_bytes() if ordinary else None
        before = contents[old[path].oid] if path in old else None
        after = contents[new[path].oid] if path in new else None
        if now == after or (now is None and before is not None and path not in ours):
            continue
        if now == before and (now is not None or not os.path.lexists(file)):
            left[path] = new.get(path)
        else:
            refused.append(path)
    if refused:
        raise ScaffoldError(
            "the template changes files that you changed too, and that a filter of yours "
            f"converts (LFS, for example), which cannot be merged: {', '.join(refused)}",
            "bring them back to the template's version (`mlops-scaffold diff`), commit, and retry",
        )
    return left


def _use_merge_attributes(store: Store, drivers: dict[str, str]) -> None:
    """Let Git's built-in ways to merge work where the project asks for them; never a program."""
    lines = "".join(
        f"/{path} {_MERGE_DRIVERS[driver]}\n"
        for path, driver in drivers.items()
        if driver in _MERGE_DRIVERS and _PLAIN.fullmatch(path)
    )
    if lines:
        with (store.path / "info" / "attributes").open("a", encoding="utf-8") as file:
            file.write(lines)


def _with_answers_of(theirs: Tree, merged: Merged, name: str) -> Merged:
    """Take the answers file as rendered: it records a state, and is never merged."""
    if name not in theirs:
        return merged
    return Merged(
        {**merged.files, name: theirs[name]},
        tuple(conflict for conflict in merged.conflicts if conflict.path != name),
        tuple(path for path in merged.kept_deleted if path != name),
    )


def _check(proposal: Proposal, attributes: dict[str, dict[str, str]]) -> None:
    """Refuse paths that Git or a file system would take for something else, and filtered ones."""
    for path in proposal.touched:
        parts = path.split("/")
        if path.startswith("/") or ".." in parts or any(paths.is_git_name(p) for p in parts):
            raise ScaffoldError(
                f"the template writes {path!r}, a name that Git reserves",
                "do not use this template as it is; tell its owner",
                Exit.UNSAFE,
            )
    filtered = [path for path in proposal.touched if _is_converted(attributes.get(path, {}))]
    if filtered:
        raise ScaffoldError(
            f"files under a filter of yours (LFS, for example) would be merged: "
            f"{', '.join(filtered)}",
            "take them out of the filter, or move them back to where the template has them",
        )
