"""Something is broken or gone: it is explained, and nothing changes."""

import shutil
from collections.abc import Callable

from tests.scenarios.answers import by_hand
from tests.scenarios.model import (
    ANSWERS,
    CLASH,
    MINE,
    OTHER_CLASH,
    QUESTIONS,
    THEIRS,
    Link,
    Place,
    Scenario,
    nine,
    put,
)
from tests.support import IDENTITY, Done, run

A = ({"a.txt": nine()}, {"a.txt": nine(THEIRS)})
MERGED = {"a.txt": nine(MINE | THEIRS)}


def moved(place: Place) -> None:
    """The template's repository is at another address now."""
    place.template.rename(place.folder / "moved")
    put(place.project, {"a.txt": nine(MINE)})


def gone(place: Place) -> None:
    """The template's repository is no more."""
    shutil.rmtree(place.template)


def from_the_start(old: str, new: str) -> Callable[[Place], None]:
    """Return the edit of a person who rewrites history: the answers file was always so."""

    def edit(place: Place) -> None:
        by_hand(old.format(place=place), new.format(place=place))(place)
        place.git("commit", "-q", "-a", "--amend", "--no-edit")

    return edit


def untagged(place: Place) -> None:
    """The template lost its tags."""
    tags = place.git("tag", cwd=place.template).split()
    place.git("tag", "-d", *tags, cwd=place.template)
    commit = place.git("rev-parse", "main~1", cwd=place.template).strip()
    from_the_start("v1.0.0", commit)(place)


def unmerged(place: Place, *, resolved: bool = False) -> None:
    """Be in the middle of a merge."""
    place.git("branch", "-q", "side")
    place.commit({"own.txt": "mine: here\n"})
    place.git("checkout", "-q", "side")
    place.commit({"own.txt": "mine: there\n"})
    assert run("git", "merge", "-q", "main", cwd=place.repository, env=IDENTITY).returncode == 1
    if resolved:
        put(place.project, {"own.txt": "mine: here\nmine: there\n"})
        place.git("add", "own.txt")


def broken_index(place: Place) -> None:
    """The index is damaged."""
    (place.project / ".git/index").write_bytes(b"DIRC and nothing more")


def locked_index(place: Place) -> None:
    """Another git is at work, or was killed there."""
    (place.project / ".git/index.lock").touch()


def missing_object(place: Place) -> None:
    """A version of the person's, which the update needs, is missing in the repository."""
    name = place.git("rev-parse", "HEAD:a.txt").strip()
    (place.project / ".git/objects" / name[:2] / name[2:]).unlink()


def conflicting(place: Place) -> None:
    """Have conflicts of an update that is not resolved."""
    assert place.cli("update", place.project, "--to", "v2.0.0", "--defaults").returncode == 3


def retold(place: Place, done: Done) -> None:
    """The new address is recorded."""
    assert f"_src_path: {place.folder / 'moved'}\n" in str(place.read(ANSWERS))


SCENARIOS = (
    Scenario("an answers file that is missing", A, {ANSWERS: None}, code=1, says=(ANSWERS,)),
    Scenario("an answers file that is no YAML", A, {ANSWERS: "a: [\n"}, code=1, says=(ANSWERS,)),
    Scenario("an answers file that is a list", A, {ANSWERS: "- a\n"}, code=1, says=(ANSWERS,)),
    Scenario("an answers file that is empty", A, {ANSWERS: ""}, code=1, says=(ANSWERS,)),
    Scenario("an answers file that is binary", A, {ANSWERS: b"\xff\0"}, code=1, says=(ANSWERS,)),
    Scenario(
        "an answers file with conflict markers",
        A,
        {ANSWERS: "<<<<<<< ours\n_commit: v1.0.0\n=======\n>>>>>>> theirs\n"},
        code=1,
        says=(ANSWERS,),
    ),
    Scenario(
        "an answers file that is a link",
        A,
        {"real.yml": "_commit: v1.0.0\n_src_path: x\n", ANSWERS: Link("real.yml")},
        code=4,
        says=(ANSWERS, "link"),
    ),
    Scenario(
        "an answers file that is a folder",
        A,
        {ANSWERS: None, f"{ANSWERS}/x": "mine: x\n"},
        code=1,
        says=(ANSWERS,),
    ),
    Scenario(
        "an answers file without a version",
        A,
        by_hand("_commit: v1.0.0\n", ""),
        code=1,
        says=("_commit",),
    ),
    Scenario(
        "an answers file without a template",
        A,
        by_hand("_src_path: ", "_source: "),
        code=1,
        says=("_src_path",),
    ),
    Scenario(
        "an answers file that names a version that never was",
        A,
        by_hand("v1.0.0", "v0.9.9"),
        code=1,
        says=("v0.9.9",),
    ),
    Scenario(
        "an answers file whose version is a number",
        A,
        by_hand("v1.0.0", "1.0"),
        code=1,
        says=("1.0",),
    ),
    Scenario("a path that is not there", A, args=("/no/such/project",), code=2, says=("project",)),
    Scenario(
        "a template that moved is refused until it is named",
        A,
        moved,
        code=1,
        says=("template", "--template"),
    ),
    Scenario(
        "a template that moved is found where --template says",
        A,
        moved,
        args=("--template", "{folder}/moved"),
        then=MERGED,
        after=(retold,),
    ),
    Scenario(
        "a template that is named by the path from where somebody stood says what to type",
        A,
        from_the_start("{place.template}", "../nowhere/template"),
        code=1,
        says=("right only where it was written (../nowhere/template)", "update --template URL"),
    ),
    Scenario(
        "a project is never taken for its own template",
        A,
        from_the_start("{place.template}", "{place.project}"),
        code=1,
        says=("is the project itself", "update --template URL"),
    ),
    Scenario("a template that is gone", A, gone, code=1, says=("template",)),
    Scenario(
        "a template that cannot be reached",
        A,
        from_the_start("{place.template}", "https://localhost:1/template.git"),
        code=1,
        says=("https://localhost:1/template.git",),
    ),
    Scenario(
        "a template without tags gives its HEAD",
        A,
        untagged,
        {},
        then={"a.txt": nine(THEIRS)},
    ),
    Scenario(
        "a template without tags gives the version that is named",
        A,
        untagged,
        {},
        args=("--to", "main"),
        then={"a.txt": nine(THEIRS)},
    ),
    Scenario(
        "a new version whose questions are broken",
        (A[0], {"copier.yml": "size: [\n"}),
        code=1,
        says=("copier.yml",),
    ),
    Scenario(
        "a new version that does not render",
        (A[0], {"b.txt.jinja": "{% if %}\n"}),
        code=1,
    ),
    Scenario(
        "a new version that renders nothing but its answers file",
        (A[0], {"a.txt": None}),
        {"own.txt": "mine: own\n"},
        then={"a.txt": None, "own.txt": "mine: own\n"},
    ),
    Scenario(
        "a new version that wants a newer copier",
        (A[0], {"copier.yml": "_min_copier_version: '99.0'\n" + QUESTIONS}),
        code=1,
        says=("99.0",),
    ),
    Scenario("a conflict that is not resolved yet", A, dirty=unmerged, code=1, says=("merge",)),
    Scenario(
        "a merge that is not committed yet",
        A,
        dirty=lambda place: unmerged(place, resolved=True),
        code=1,
        says=("merge",),
    ),
    Scenario(
        "conflicts of the update before",
        (A[0], {"a.txt": nine(OTHER_CLASH)}, {"a.txt": nine(OTHER_CLASH | THEIRS)}),
        {"a.txt": nine(CLASH)},
        conflicting,
        code=1,
    ),
    Scenario("an index that is damaged", A, dirty=broken_index, code=1, says=("index",)),
    Scenario("an index that is locked", A, dirty=locked_index, code=1, says=("index.lock",)),
    Scenario("a repository that lacks an object", A, {"a.txt": nine(MINE)}, missing_object, code=1),
)
