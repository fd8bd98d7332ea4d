"""Both sides changed something: contents, names, deletions, additions."""

from tests.scenarios.model import (
    CLASH,
    CLASHED,
    MINE,
    OTHER_CLASH,
    THEIRS,
    Edits,
    Place,
    Scenario,
    marked,
    nine,
)

BOTH = nine(MINE | THEIRS)
SRC = {f"src/{n}.txt": f"{n}\n{nine()}" for n in "abc"}
LIB = {f"lib/{n}.txt": f"{n}\n{nine()}" for n in "abc"}


def rename(old: str, new: str, content: str | None = None) -> Edits:
    """Return the edit of a person who renames, and perhaps changes, a file or a folder."""

    def edit(place: Place) -> None:
        place.mv(old, new)
        if content is not None:
            (place.project / new).write_text(content)

    return edit


SCENARIOS = (
    Scenario(
        "a file that only the template changed is changed",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        then={"a.txt": nine(THEIRS)},
        plan={"a.txt": "changed"},
    ),
    Scenario(
        "edits of both sides in one file are kept",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        {"a.txt": nine(MINE)},
        then={"a.txt": BOTH},
        plan={"a.txt": "merged"},
    ),
    Scenario(
        "edits of the same line conflict, with markers and index entries",
        ({"a.txt": nine(), "b.txt": nine()}, {"a.txt": nine(OTHER_CLASH), "b.txt": nine(THEIRS)}),
        {"a.txt": nine(CLASH), "b.txt": nine(MINE)},
        code=3,
        then={"a.txt": CLASHED, "b.txt": BOTH},
        stages={"a.txt": "123"},
        plan={"a.txt": "conflict", "b.txt": "merged"},
    ),
    Scenario(
        "the same edit on both sides is no conflict",
        ({"a.txt": nine()}, {"a.txt": nine(MINE), "b.txt": "theirs: b\n"}),
        {"a.txt": nine(MINE)},
        then={"a.txt": nine(MINE), "b.txt": "theirs: b\n"},
        plan={"b.txt": "added"},
    ),
    Scenario(
        "a dry run says the same and touches nothing",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        {"a.txt": nine(MINE)},
        args=("--dry-run",),
        plan={"a.txt": "merged"},
    ),
    Scenario(
        "a dry run foresees the conflict",
        ({"a.txt": nine()}, {"a.txt": nine(OTHER_CLASH)}),
        {"a.txt": nine(CLASH)},
        args=("--dry-run",),
        code=3,
        plan={"a.txt": "conflict"},
    ),
    Scenario(
        "the template's change follows a file that the user renamed",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        rename("a.txt", "docs/b.txt"),
        then={"a.txt": None, "docs/b.txt": nine(THEIRS)},
    ),
    Scenario(
        "the template's change follows a file that the user renamed and edited",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        rename("a.txt", "b.txt", nine(MINE)),
        then={"a.txt": None, "b.txt": BOTH},
    ),
    Scenario(
        "the template's changes follow a folder that the user moved",
        (SRC, {"src/a.txt": f"a\n{nine(THEIRS)}"}),
        rename("src", "lib/inner"),
        then={"src/a.txt": None, "lib/inner/a.txt": f"a\n{nine(THEIRS)}"},
    ),
    Scenario(
        "a new file of the template goes to where the user moved its folder",
        (SRC, {"src/new.txt": "theirs: new\n"}),
        rename("src", "lib"),
        then={"src/new.txt": None, "lib/new.txt": "theirs: new\n"},
    ),
    Scenario(
        "the user's edits follow a file that the template renamed",
        ({"a.txt": nine()}, {"a.txt": None, "b.txt": nine(THEIRS)}),
        {"a.txt": nine(MINE)},
        then={"a.txt": None, "b.txt": BOTH},
    ),
    Scenario(
        "an unedited file that the template renamed is renamed",
        ({"a.txt": nine()}, {"a.txt": None, "b.txt": nine()}),
        then={"a.txt": None, "b.txt": nine()},
        plan={"b.txt": "renamed"},
    ),
    Scenario(
        "the user's own file goes along when the template renames its folder",
        (SRC, {**dict.fromkeys(SRC), **LIB}),
        {"src/own.txt": "mine: own\n", "src/a.txt": f"a\n{nine(MINE)}"},
        then={"src/own.txt": None, "lib/own.txt": "mine: own\n", "lib/a.txt": f"a\n{nine(MINE)}"},
    ),
    Scenario(
        "a file that the user deleted stays deleted and is named",
        ({"a.txt": nine(), "b.txt": nine()}, {"a.txt": nine(THEIRS), "b.txt": nine(THEIRS)}),
        {"a.txt": None},
        then={"a.txt": None, "b.txt": nine(THEIRS)},
        plan={"a.txt": "kept-deleted", "b.txt": "changed"},
    ),
    Scenario(
        "a folder that the user deleted stays deleted",
        ({"ci/a.yml": nine(), "ci/b.yml": nine(MINE)}, {"ci/a.yml": nine(THEIRS)}),
        {"ci/a.yml": None, "ci/b.yml": None},
        then={"ci/a.yml": None, "ci/b.yml": None},
        plan={"ci/a.yml": "kept-deleted"},
    ),
    Scenario(
        "a file that the template deleted and the user edited is kept as a conflict",
        ({"a.txt": nine()}, {"a.txt": None}),
        {"a.txt": nine(MINE)},
        code=3,
        then={"a.txt": nine(MINE)},
        stages={"a.txt": "12"},
        plan={"a.txt": "conflict"},
    ),
    Scenario(
        "a file that the template deleted and nobody edited goes",
        ({"a.txt": nine(), "b/c.txt": "c\n"}, {"a.txt": None, "b/c.txt": None}),
        then={"a.txt": None, "b/c.txt": None, "b": None},
        plan={"a.txt": "deleted", "b/c.txt": "deleted"},
    ),
    Scenario(
        "a file that both deleted is no matter",
        ({"a.txt": nine(), "b.txt": nine()}, {"a.txt": None, "b.txt": nine(THEIRS)}),
        {"a.txt": None},
        then={"a.txt": None, "b.txt": nine(THEIRS)},
    ),
    Scenario(
        "a file that both added alike is no conflict",
        ({}, {"b.txt": nine(MINE)}),
        {"b.txt": nine(MINE)},
        then={"b.txt": nine(MINE)},
    ),
    Scenario(
        "a file that both added differently conflicts",
        ({}, {"b.txt": "theirs: b\n"}),
        {"b.txt": "mine: b\n"},
        code=3,
        then={"b.txt": marked("mine: b\n", "theirs: b\n")},
        stages={"b.txt": "23"},
        plan={"b.txt": "conflict"},
    ),
    Scenario(
        "two names for one file conflict, and both sides' edits survive",
        ({"a.txt": nine()}, {"a.txt": None, "theirs.txt": nine(THEIRS)}),
        rename("a.txt", "own.txt", nine(MINE)),
        code=3,
    ),
    Scenario(
        "a file that the template deleted and the user renamed is kept as a conflict",
        ({"a.txt": nine()}, {"a.txt": None}),
        rename("a.txt", "own.txt", nine(MINE)),
        code=3,
        then={"own.txt": nine(MINE)},
    ),
    Scenario(
        "a template's rename onto the user's own file conflicts",
        ({"a.txt": nine()}, {"a.txt": None, "b.txt": nine(THEIRS)}),
        {"b.txt": "mine: b\n"},
        code=3,
        plan={"b.txt": "conflict"},
    ),
    Scenario(
        "two files that the template swapped take the user's edits along",
        (
            {"a.txt": "a\n" * 30, "b.txt": "b\n" * 30},
            {"a.txt": None, "b.txt": None, "x/b.txt": "a\n" * 30, "x/a.txt": "b\n" * 30},
        ),
        {"a.txt": "a\n" * 30 + "mine: a\n"},
        then={"x/b.txt": "a\n" * 30 + "mine: a\n", "x/a.txt": "b\n" * 30},
    ),
)
