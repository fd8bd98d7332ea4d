"""Work that is not committed: kept where nothing overlaps, else a refusal that names it."""

from tests.scenarios.model import (
    ANSWERS,
    CLASH,
    MINE,
    OTHER_CLASH,
    THEIRS,
    Place,
    Scenario,
    nine,
    put,
)
from tests.support import Done

A = ({"a.txt": nine(), "b.txt": nine()}, {"a.txt": nine(THEIRS)})
EDITED = {"a.txt": nine(MINE)}
MERGED = {"a.txt": nine(MINE | THEIRS)}


def staged(place: Place) -> None:
    """Have work in all states: staged, changed again, changed, new, new in name only, deleted."""
    put(place.project, {"b.txt": nine({2: "mine: staged"}), "new.txt": "mine: new\n"})
    place.git("add", "b.txt", "new.txt")
    put(place.project, {"b.txt": nine({2: "mine: staged", 4: "mine: not staged"})})
    put(place.project, {"intent.txt": "mine: intent\n", "loose.txt": "mine: loose\n"})
    place.git("add", "--intent-to-add", "intent.txt")


def staged_still(place: Place, done: Done) -> None:
    """The person's staged work is staged, and only that which was."""
    assert place.git("show", ":b.txt") == nine({2: "mine: staged"})
    shown = place.git("status", "--porcelain").splitlines()
    assert {"MM b.txt", "A  new.txt", " A intent.txt", "?? loose.txt"} <= set(shown)


def stage_overlap(place: Place) -> None:
    """Have a change of a file that the update changes too, staged."""
    put(place.project, {"a.txt": nine(CLASH)})
    place.git("add", "a.txt")


def hidden_untracked(place: Place) -> None:
    """Have an untracked file in the way, and git told not to look for such."""
    place.config(status__showUntrackedFiles="no", core__untrackedCache="true")
    put(place.project, {"a.txt": "mine: a\n"})


def excluded(place: Place) -> None:
    """Have a file that only this clone ignores."""
    (place.project / ".git/info").mkdir(exist_ok=True)
    (place.project / ".git/info/exclude").write_text("secret.txt\n")
    (place.project / "secret.txt").write_text("mine: secret\n")


SCENARIOS = (
    Scenario(
        "uncommitted work elsewhere stays as it is, staged work staged",
        A,
        EDITED,
        staged,
        then={**MERGED, "intent.txt": "mine: intent\n", "loose.txt": "mine: loose\n"},
        after=(staged_still,),
    ),
    Scenario(
        "staged work elsewhere survives a conflict",
        (A[0], {"a.txt": nine(OTHER_CLASH)}),
        {"a.txt": nine(CLASH)},
        staged,
        code=3,
        stages={"a.txt": "123"},
        after=(staged_still,),
    ),
    Scenario(
        "an uncommitted change of a file that the update changes is refused",
        A,
        dirty={"a.txt": nine(CLASH), "b.txt": nine(CLASH)},
        code=1,
        says=("a.txt",),
    ),
    Scenario(
        "a staged change of a file that the update changes is refused",
        A,
        dirty=stage_overlap,
        code=1,
        says=("a.txt",),
    ),
    Scenario(
        "an uncommitted deletion of a file that the update changes is refused",
        A,
        dirty={"a.txt": None},
        code=1,
        says=("a.txt",),
    ),
    Scenario(
        "an uncommitted change of the answers file is refused",
        A,
        dirty=lambda place: put(
            place.project, {ANSWERS: str(place.read(ANSWERS)).replace("size: 3", "size: 4")}
        ),
        code=1,
        says=(ANSWERS,),
    ),
    Scenario(
        "an uncommitted change of the mode of a file that the update changes is refused",
        A,
        dirty=lambda place: (place.project / "a.txt").chmod(0o755),
        code=1,
        says=("a.txt",),
    ),
    Scenario(
        "an untracked file in the way that git is told not to look for is found",
        ({}, {"a.txt": "theirs: a\n"}),
        dirty=hidden_untracked,
        code=1,
        says=("a.txt",),
    ),
    Scenario(
        "an untracked file in the way is never overwritten",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS), "notes.txt": "theirs: notes\n"}),
        dirty={"notes.txt": "mine: notes\n"},
        code=1,
        says=("notes.txt",),
    ),
    Scenario(
        "every untracked file in the way is named",
        ({}, {"one.txt": "theirs: 1\n", "deep/two.txt": "theirs: 2\n"}),
        dirty={"one.txt": "mine: 1\n", "deep/two.txt": "mine: 2\n"},
        code=1,
        says=("one.txt", "deep/two.txt"),
    ),
    Scenario(
        "a file in the way that only this clone ignores is never overwritten",
        ({}, {"secret.txt": "theirs: secret\n"}),
        dirty=excluded,
        code=1,
        says=("secret.txt",),
    ),
    Scenario(
        "an untracked folder where the template puts a file is never removed",
        ({}, {"data": "theirs: a file\n"}),
        dirty={"data/own.csv": "mine: own\n"},
        code=1,
        says=("data",),
    ),
    Scenario(
        "an untracked file where the template puts a folder is never removed",
        ({}, {"data/x.csv": "theirs: x\n"}),
        dirty={"data": "mine: a file\n"},
        code=1,
        says=("data",),
    ),
    Scenario(
        "untracked files elsewhere are no matter",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        dirty={"notes.txt": "mine: notes\n"},
        then={"notes.txt": "mine: notes\n", "a.txt": nine(THEIRS)},
    ),
    Scenario(
        "untracked files go along in no folder that the template renames",
        ({"src/a.txt": nine()}, {"src/a.txt": None, "lib/a.txt": nine()}),
        dirty={"src/notes.txt": "mine: notes\n"},
        then={"src/notes.txt": "mine: notes\n", "src/a.txt": None, "lib/a.txt": nine()},
    ),
)
