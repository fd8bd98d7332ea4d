"""Orders a template's versions: tags by PEP 440, and what `git describe` says of other commits."""

import re
from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

DESCRIBED = re.compile(r"(?P<tag>.+)-(?P<count>\d+)-g(?P<commit>[0-9a-f]+)")
# What git calls a commit before the first tag. PEP 440 takes some for versions: 111a905, 1234567.
_COMMIT = re.compile(r"(?!(19|20)\d{6}$)[0-9a-f]{7,40}")  # but 20261121 is a version, by date

_NUMBERED = re.compile(r"(.*?)([0-9]+(?:\.[0-9]+)*)")
# Names of tags that follow the newest release, or a line of them.
_MOVED = {
    *("stable", "latest", "current", "newest", "release", "production", "prod", "head", "main"),
    *("master", "next", "edge", "nightly", "preview", "beta", "alpha", "dev", "develop", "lts"),
}


def parse(text: str) -> Version | None:
    """Return a version to compare by; None for what is neither a tag nor so many commits after one.

    `v1.0.0-3-gabc1234` comes after `v1.0.0`, and before the version that follows.
    """
    if _COMMIT.fullmatch(text):
        return None
    found = DESCRIBED.fullmatch(text)
    base, after = (found["tag"], f".post{found['count']}") if found else (text, "")
    try:
        version = Version(base)
        return Version(f"{version.public}{after}") if after and version.post is None else version
    except InvalidVersion:
        return None


def number(text: str) -> str | None:
    """Return a version in the form of PEP 440, as copier reckons it; None for what is none."""
    if (found := DESCRIBED.fullmatch(text)) and (base := parse(found["tag"])) is not None:
        if found["count"] == "0" or base.post is not None:
            return str(base)
        return f"{base.public}.post{found['count']}.dev0+{found['commit']}"
    version = parse(text)
    return None if version is None else str(version)


def is_commit(text: str) -> bool:
    """Tell whether a version says of itself which commit it is: abc1234, or v1.0.0-3-gabc1234."""
    return bool(_COMMIT.fullmatch(text) or DESCRIBED.fullmatch(text))


def releases(tags: Iterable[str]) -> list[str]:
    """Return the tags that are versions, oldest first; pre-releases if there is nothing else."""
    tags = list(tags)
    moving = aliases(tags)
    known = [
        (version, tag) for tag in tags if (version := parse(tag)) is not None and tag not in moving
    ]
    finals = [entry for entry in known if not entry[0].is_prerelease]
    return [tag for _, tag in sorted(finals or known)]


def aliases(tags: Iterable[str]) -> set[str]:
    """Return the tags that are moved along: v1 beside v1.0.0, or one called stable."""
    tags = list(tags)
    return {tag for tag in tags if tag.lower() in _MOVED} | set(lines(tags))


def lines(tags: Iterable[str]) -> dict[str, list[str]]:
    """Return the tags that may stand for a line of versions, such as v1, and the versions of it.

    A name alone does not tell: 1.0 beside 1.0.1 can be a version of its own.
    """
    parts = {tag: numbers for tag in tags if (numbers := _numbers(tag)) is not None}
    found = {
        tag: [
            other
            for other, (begins, long) in parts.items()
            if begins == prefix and len(long) > len(short) < 3 and long[: len(short)] == short
        ]
        for tag, (prefix, short) in parts.items()
    }
    return {tag: line for tag, line in found.items() if line}


def _numbers(tag: str) -> tuple[str, tuple[int, ...]] | None:
    """Return what stands before a tag's numbers, and those: of release-1.0 too, no PEP 440.

    Not those of pre-releases and the like, which are no line and belong to none.
    """
    if (version := parse(tag)) is not None:
        return ("", version.release) if version.public == version.base_version else None
    found = _NUMBERED.fullmatch(tag)
    return (found[1], tuple(map(int, found[2].split(".")))) if found else None


def newest_prerelease(tags: Iterable[str], than: str) -> str | None:
    """Return the newest pre-release, if it is newer than a version."""
    known = [(v, tag) for tag in tags if (v := parse(tag)) is not None and v.is_prerelease]
    found = max(known, default=(None, None))[1]
    return found if found is not None and is_older(than, found) else None


def newest(tags: Iterable[str]) -> str | None:
    """Return the newest release among the tags, or the newest pre-release if there is no other."""
    known = releases(tags)
    return known[-1] if known else None


def after(version: str, tags: Iterable[str]) -> list[str]:
    """Return the releases among the tags that are newer than a version, oldest first."""
    start = parse(version)
    if start is None:
        return []
    return [tag for tag in releases(tags) if (parsed := parse(tag)) is not None and parsed > start]


def is_older(version: str, than: str) -> bool:
    """Tell whether one version comes before another; False where they cannot be compared."""
    one, other = parse(version), parse(than)
    return one is not None and other is not None and one < other
