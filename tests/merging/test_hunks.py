"""The places of a conflict are found again, line by line, in the file of either side."""

from pathlib import Path

import pytest

from scaffold.ground.store import Entry, Store
from scaffold.merging.hunks import Hunk, find, split, taken
from scaffold.merging.merge import merge

TEXT = [f"line {number}" for number in range(1, 13)]
FILE = "".join(f"{line}\n" for line in TEXT)


def at(text: str, number: int, *lines: str) -> str:
    """Return a text with other lines in place of one."""
    old = text.splitlines(keepends=True)
    old[number - 1 : number] = [f"{line}\n" for line in lines]
    return "".join(old)


def found(folder: Path, style: str, *versions: str) -> tuple[str, list[Hunk]]:
    """Merge the base, ours and theirs; return the merged text, and its places."""
    store = Store.create(folder / "store.git", config=(("merge.conflictStyle", style),))
    trees = [
        store.write({"a": Entry("100644", store.blob(text.encode())), "b": Entry("100644", other)})
        for text in versions
        for other in [store.blob(b"")]
    ]
    merged = merge(store, trees[0], trees[1], trees[2], "v2.0.0")
    (conflict,) = merged.conflicts
    content = store.read([merged.files["a"].oid])[merged.files["a"].oid]
    return content.decode(), find(store, content, conflict)


MINE, THEIRS = at(at(FILE, 11, "mine"), 5, "mine: 5"), at(at(FILE, 11, "theirs"), 5, "theirs: 5")
PLACES = {
    "shifted by the other's change": (
        (FILE, at(at(MINE, 8), 1, "new", "line 1"), at(THEIRS, 3)),
        [
            "line 6 of yours, line 4 of the template's",
            "line 11 of yours, line 10 of the template's",
        ],
    ),
    "deleted by one": (
        (FILE, at(MINE, 5), THEIRS),
        ["after line 4 of yours, line 5 of the template's", "line 10 of yours, line 11 of the "],
    ),
    "Windows": (
        tuple(text.replace("\n", "\r\n") for text in (FILE, MINE, THEIRS)),
        [
            "line 5 of yours, line 5 of the template's",
            "line 11 of yours, line 11 of the template's",
        ],
    ),
    "no end of line": (
        ("1", "mine", "theirs"),
        ["line 1 of yours, line 1 of the template's"],
    ),
}


@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
@pytest.mark.parametrize("kind", PLACES)
def test_a_place_is_where_its_lines_are(tmp_path: Path, kind: str, style: str) -> None:
    versions, expected = PLACES[kind]
    _, hunks = found(tmp_path, style, *versions)
    assert len(hunks) == len(expected)
    for hunk, where in zip(hunks, expected, strict=True):
        assert hunk.where.startswith(where)


@pytest.mark.parametrize("style", ["merge", "diff3"])
def test_a_heading_that_looks_like_a_marker_is_a_line_of_its_side(
    tmp_path: Path, style: str
) -> None:
    base, mine, theirs = (f"{word}\n=======\n{word}\n" for word in ("Install", "Mine", "Theirs"))
    merged, hunks = found(tmp_path, style, base, mine, theirs)
    assert all(hunk.where for hunk in hunks)
    lines = split(merged.encode())
    own, new = ([hunk.mine.lines for hunk in hunks], [hunk.theirs.lines for hunk in hunks])
    assert b"".join(taken(lines, hunks, dict(enumerate(own)))).decode() == mine
    assert b"".join(taken(lines, hunks, dict(enumerate(new)))).decode() == theirs


def test_what_could_be_parted_in_two_ways_has_no_place(tmp_path: Path) -> None:
    versions = ("d\nb\n=======\n3\n", "d\nb\ncp\n3\n", "d\n3\n=======\n")
    _, (hunk,) = found(tmp_path, "diff3", *versions)
    assert hunk.where == ""


def test_a_file_without_a_line_break_at_its_end_stays_so(tmp_path: Path) -> None:
    merged, (hunk,) = found(tmp_path, "merge", "1", "mine", "theirs")
    assert taken(split(merged.encode()), [hunk], {0: hunk.mine.lines}) == [b"mine"]
