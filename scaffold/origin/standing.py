"""How far a recorded version is behind its template: by releases, or by commits where it has none.

Versions that PEP 440 does not order (`template-v1.0.0`, a bare commit) are ordered by history.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.origin import versions
from scaffold.origin.source import HEAD, Source, Template


@dataclass(frozen=True)
class Standing:
    """The newest version, how many `unit`s come after the recorded one up to it, and more.

    `ahead` says that the recorded one is newer; `prerelease` is one that is newer than both.
    """

    newest: str
    behind: int
    unit: str = "release"
    ahead: bool = False
    prerelease: str | None = None

    @property
    def distance(self) -> str:
        """The number in words."""
        return f"{self.behind} {self.unit}{'s'[: self.behind != 1]} behind"


def recorded(source: Source, version: str, project: str) -> Template:
    """Return the version that a project's answers file names, or say how to get on without it.

    `project` is where it is, as the person calls it.
    """
    with lacking(source, version, project):
        return source.at(version)


@contextmanager
def lacking(source: Source, version: str, project: str) -> Iterator[None]:
    """Where a version that is not there is the recorded one, say how to get on without it.

    It went with rewritten history, or a deleted tag.
    """
    try:
        yield
    except ScaffoldError as error:
        if error.code != Exit.USAGE:
            raise
        raise ScaffoldError(
            f"the template has no version {version!r}, which the answers file names",
            find_nearest(source, project),
        ) from error


def find_nearest(source: Source, project: str) -> str:
    """Return the remedy where it is not known what a project was made from."""
    where = f"{shlex.quote(project)} --template {shlex.quote(source.url)}"
    return f"find the nearest one: `mlops-scaffold adopt {where}`"


def standing(source: Source, version: str) -> Standing:
    """Compare a version with the template's newest; raise ScaffoldError when there is no such."""
    newest = versions.newest(source.tags)
    if newest is None:
        head, mine = source.commit(HEAD), _held(source, version)
        behind = int(source.run("rev-list", "--count", f"{mine}..{head}"))
        name = version if mine == head else source.named(head, HEAD)
        return Standing(name, behind, "commit", ahead=not behind and mine != head)
    later = versions.newest_prerelease(source.tags, newest)
    if later is not None and not versions.is_older(version, later):
        later = None
    if versions.parse(version) is not None and not _is_held(source, version):
        behind = len(versions.after(version, source.tags))
        ahead = not behind and versions.is_older(newest, version)
    else:
        mine = source.commit(version)
        contained = source.run("tag", "--merged", mine).split()
        known = source.releases
        have = [number for number, tag in enumerate(known, start=1) if tag in contained]
        behind = len(known) - max(have, default=0)
        ahead = not behind and source.tags[newest] != mine
    return Standing(newest, behind, ahead=ahead, prerelease=later)


def goes_back(source: Source, old: Template, new: Template) -> bool:
    """Tell whether a version comes before another: by number, or where one has none, by history."""
    if versions.is_older(new.version, old.version):
        return True
    if new.commit == old.commit or {new.version, old.version} <= set(source.releases):
        return False
    return source.contains(old.commit, new.commit)


def goes_aside(source: Source, old: Template, new: Template) -> bool:
    """Tell whether a version lacks what the other one brought, without being older."""
    if {new.version, old.version} <= set(source.releases):
        return False  # a branch of fixes: numbers decide, as people expect
    known = source.holds(old.commit) and source.holds(new.commit)
    return known and not source.contains(new.commit, old.commit)


def _is_held(source: Source, version: str) -> bool:
    """Tell whether a version names its commit, and the template has it: then history decides, for
    a release of another branch may be in it, whatever its number."""
    with suppress(ScaffoldError):
        return versions.is_commit(version) and source.holds(source.commit(version))
    return False


def _held(source: Source, version: str) -> str:
    """Return a version's commit; of one made of a work tree, that of the tag it came after."""
    commit = source.commit(version)
    if not source.holds(commit) and (found := versions.DESCRIBED.fullmatch(version)):
        return source.commit(found["tag"])
    return commit
