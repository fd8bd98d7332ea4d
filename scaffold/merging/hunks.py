"""The places of a file where both sides changed the same lines, as Git has marked them.

Each is found again in the file of either side, so that a person can look it up there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scaffold.ground.store import Entry, Store
from scaffold.merging.merge import LABEL, OURS, Conflict

Lines = list[bytes]
_SPAN = re.compile(r"(?m)^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True)
class Side:
    """The lines of one side, and the number of those before them in its file, if it is known."""

    lines: tuple[bytes, ...]
    before: int | None = None

    @property
    def said(self) -> str:
        """Where they are, in words; nothing if that is not known."""
        if self.before is None:
            return ""
        first, last = self.before + 1, self.before + len(self.lines)
        if not self.lines:
            return f"after line {self.before}" if self.before else "at the top"
        return f"line {first}" if first == last else f"lines {first}-{last}"


@dataclass(frozen=True)
class Hunk:
    """One place: the marked lines `start` to `end` of the merged file, and what the sides have.

    It is not sure where lines of the sides look like markers, and could be parted otherwise.
    """

    start: int
    end: int
    mine: Side
    theirs: Side
    is_sure: bool = True

    @property
    def where(self) -> str:
        """Where it is, in words; nothing if that is not known."""
        mine, theirs = self.mine.said, self.theirs.said
        is_known = self.is_sure and mine and theirs
        return f"{mine} of yours, {theirs} of the template's" if is_known else ""


def _is_file(entry: Entry | None) -> bool:
    return entry is not None and entry.mode.startswith("100")


def split(content: bytes) -> Lines:
    """Return lines with their ends, as Git counts them."""
    return [line for line in re.split(rb"(?<=\n)", content) if line]


def find(store: Store, content: bytes, conflict: Conflict) -> list[Hunk]:
    """Return the places that a merged file marks; none where Git could not mark any."""
    if not all(_is_file(conflict.stages.get(stage)) for stage in (2, 3)):
        return []
    blobs = store.read(conflict.stages[stage].oid for stage in (2, 3))
    mine, theirs = (split(blobs[conflict.stages[stage].oid]) for stage in (2, 3))
    lines = split(content)
    found = _marked(lines, mine, theirs)
    starts = (
        _starts(store, [hunk.mine.lines for hunk in found], lines, found, conflict.stages[2]),
        _starts(store, [hunk.theirs.lines for hunk in found], lines, found, conflict.stages[3]),
    )
    return [
        replace(
            hunk,
            mine=_placed(hunk.mine.lines, one, mine),
            theirs=_placed(hunk.theirs.lines, other, theirs),
        )
        for hunk, one, other in zip(found, *starts, strict=True)
    ]


def taken(lines: Lines, hunks: Sequence[Hunk], chosen: Mapping[int, Sequence[bytes]]) -> Lines:
    """Return the merged lines with chosen ones in place of some hunks, by the hunks' numbers."""
    made, at = Lines(), 0
    for number, hunk in enumerate(hunks):
        made += lines[at : hunk.start]
        made += chosen.get(number, lines[hunk.start : hunk.end])
        at = hunk.end
    return made + lines[at:]


def _marked(lines: Lines, mine: Lines, theirs: Lines) -> list[Hunk]:
    """Find the markers. A line of a side may look like one, so the sides tell which are."""
    found, start = [], None
    for at, line in enumerate(lines):
        if line.startswith(f"<<<<<<< {OURS}".encode()):
            start = at
        elif start is not None and line.startswith(f">>>>>>> {LABEL}".encode()):
            possible = _parted(lines[start + 1 : at], mine, theirs)
            if possible:
                one, other = (Side(tuple(part)) for part in possible[0])
                found.append(Hunk(start, at + 1, one, other, is_sure=len(possible) == 1))
            start = None
    return found


def _parted(lines: Lines, mine: Lines, theirs: Lines) -> list[tuple[Lines, Lines]]:
    """Return each way to part the lines between two markers into those of the sides."""
    found = []
    for middle in (at for at, line in enumerate(lines) if _bare(line) == b"======="):
        own, other = lines[:middle], lines[middle + 1 :]
        base = [at for at, line in enumerate(own) if line.startswith(b"||||||| ")]
        own = own[: base[0]] if base else own
        if _is_part(own, mine) and _is_part(other, theirs):
            found.append((own, other))
    return found


def _bare(line: bytes) -> bytes:
    """Return a line without its end: Git ends a file's last line before a marker if need be."""
    return line.rstrip(b"\r\n")


def _is_part(part: Lines, whole: Lines) -> bool:
    wanted, known = [_bare(line) for line in part], [_bare(line) for line in whole]
    return any(known[n : n + len(wanted)] == wanted for n in range(len(known) - len(wanted) + 1))


def _starts(
    store: Store, sides: list[tuple[bytes, ...]], lines: Lines, hunks: list[Hunk], entry: Entry
) -> list[int]:
    """Return how many lines of a side's file come before each place, by Git's own comparison.

    With that side taken everywhere, the merged file differs only by what the other one changed.
    """
    if not hunks:
        return []
    whole = store.blob(b"".join(taken(lines, hunks, dict(enumerate(sides)))))
    compared = store.run("diff", "--no-color", "--no-ext-diff", "--text", "-U0", entry.oid, whole)
    spans = []
    for old, first, new in _SPAN.findall(compared):
        count = int(new or 1)
        spans.append((int(first) + max(count - 1, 0), count - int(old or 1)))
    starts, grown = [], 0
    for hunk, side in zip(hunks, sides, strict=True):
        at = hunk.start + grown
        starts.append(at - sum(more for last, more in spans if last <= at))
        grown += len(side) - (hunk.end - hunk.start)
    return starts


def _placed(part: tuple[bytes, ...], before: int, whole: Lines) -> Side:
    """Return a side as its file has it there, if it does."""
    there = tuple(whole[before : before + len(part)])
    is_there = [_bare(line) for line in there] == [_bare(line) for line in part]
    return Side(there, before) if is_there else Side(part)
