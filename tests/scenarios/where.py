"""Where the project is, in which state, and from which version to which."""

from pathlib import Path

from tests.scenarios.model import (
    CLASH,
    CLASHED,
    MINE,
    OTHER_CLASH,
    THEIRS,
    Place,
    Scenario,
    nine,
    put,
)
from tests.scenarios.place import copy
from tests.support import Done, commit, run, sh

A = ({"a.txt": nine(), "b.txt": nine()}, {"a.txt": nine(THEIRS)})
EDITED = {"a.txt": nine(MINE)}
MERGED = {"a.txt": nine(MINE | THEIRS)}
STEPS = (
    {"a.txt": nine(), "b.txt": nine()},
    {"a.txt": nine({9: "second"}), "b.txt": None, "c.txt": nine()},
    {"a.txt": nine({9: "second", 7: "theirs: third"}), "c.txt": None, "d.txt": nine(THEIRS)},
)


def detached(place: Place) -> None:
    """Stand on no branch."""
    place.git("checkout", "-q", "--detach")
    put(place.project, EDITED)


def second_project(place: Place) -> None:
    """Have another project beside this one, updated and not yet committed."""
    other = place.project.parent / "fraud-model"
    argv = ("--template", place.template, "--ref", "v1.0.0", "--defaults", "--no-git")
    assert place.cli("new", other, *argv).returncode == 0
    place.commit({"../fraud-model/a.txt": nine(MINE), "a.txt": nine(MINE)})
    done = place.cli("update", other, "--defaults")
    assert done.returncode == 0, done.stderr


def submodule_elsewhere(place: Place) -> None:
    """Have a submodule in the project."""
    library = place.folder / "library"
    commit(library, {"lib.py": "mine: library\n"})
    allow = ("-c", "protocol.file.allow=always")
    place.git(*allow, "submodule", "--quiet", "add", library, "vendor/library")
    put(place.project, EDITED)


def awkward_settings(place: Place) -> None:
    """Have settings of taste that must not show in the result."""
    place.config(merge__renames="false", diff__renames="false")
    place.config(diff__noprefix="true", core__quotePath="false", color__ui="always")
    place.config(status__showUntrackedFiles="no", diff__mnemonicPrefix="true")
    place.config(merge__directoryRenames="false", core__safecrlf="true", apply__whitespace="fix")
    put(place.project, {"a.txt": nine(CLASH)})
    place.mv("b.txt", "moved.txt")


def sparse(place: Place) -> None:
    """Have only a part of the project checked out."""
    place.git("sparse-checkout", "set", "--no-cone", "/*", "!/hidden/")


def as_step_by_step(place: Place, done: Done) -> None:
    """One update over two versions gives what two updates give."""
    steps = place.folder.parent / "steps" / place.project.name
    sh("git", "clone", "-q", place.repository, steps)
    for tag in ("v2.0.0", "v3.0.0"):
        done = place.cli("update", steps, "--defaults", "--to", tag)
        assert done.returncode == 0, done.stderr
        commit(steps)
    listed = [sh("git", "ls-files", "-s", cwd=folder) for folder in (steps, place.project)]
    assert listed[0] == listed[1]


def only_inside(place: Place, done: Done) -> None:
    """Nothing outside the project is staged."""
    inner = f"{place.project.relative_to(place.repository)}/"
    names = place.git("diff", "--cached", "--name-only").splitlines()
    assert names and all(name.startswith(inner) for name in names)


def from_inside(place: Place, done: Done) -> None:
    """Without a path it is the folder one stands in."""
    other = copy(place)
    other.git("reset", "-q", "--hard")
    assert other.cli("update", "--defaults", cwd=other.project).returncode == 0
    assert other.read("a.txt") == place.read("a.txt")


def with_base(place: Place, done: Done) -> None:
    """The conflict shows what was there before both changes."""
    assert "\n||||||| " in str(place.read("a.txt"))


def above_is_clean(place: Place, done: Done) -> None:
    """The repository around a submodule only sees that the submodule has changes."""
    shown = run("git", "status", "--porcelain", cwd=Path(place.repository.parent)).stdout
    assert shown == " M inner\n"


SCENARIOS = (
    Scenario(
        "in a folder of a monorepo only that folder is touched",
        A,
        EDITED,
        layout="subfolder",
        then={**MERGED, "../other/a.txt": "mine: a third a\n", "../../a.txt": "mine: another a\n"},
        after=(only_inside, from_inside),
    ),
    Scenario(
        "in a folder of a monorepo a conflict is at its place",
        (A[0], {"a.txt": nine(OTHER_CLASH)}),
        {"a.txt": nine(CLASH)},
        layout="subfolder",
        code=3,
        stages={"a.txt": "123"},
        plan={"a.txt": "conflict"},
        after=(only_inside,),
    ),
    Scenario(
        "a file that the user moved out of the project's folder is left where it is",
        A,
        lambda place: place.mv("a.txt", "../a.txt"),
        layout="subfolder",
        then={"../a.txt": nine()},
        plan={"a.txt": "kept-deleted"},
    ),
    Scenario(
        "two projects in one repository are updated one after the other",
        A,
        dirty=second_project,
        layout="subfolder",
        then={**MERGED, "../fraud-model/a.txt": nine(MINE | THEIRS)},
    ),
    Scenario("in a linked worktree", A, EDITED, layout="worktree", then=MERGED),
    Scenario(
        "in a submodule of another repository",
        A,
        EDITED,
        layout="submodule",
        then=MERGED,
        after=(above_is_clean,),
    ),
    Scenario("with a submodule in the project", A, submodule_elsewhere, then=MERGED),
    Scenario(
        "in a clone without history, as long as the default branch names the template",
        A,
        EDITED,
        layout="shallow",
        then=MERGED,
    ),
    Scenario("in a repository with SHA-256 names", A, EDITED, layout="sha256", then=MERGED),
    Scenario("on a detached HEAD", A, detached, then=MERGED),
    Scenario(
        "in a sparse checkout what is not there stays away",
        ({"a.txt": nine(), "hidden/x.txt": nine()}, {"a.txt": nine(THEIRS)}),
        EDITED,
        sparse,
        then={**MERGED, "hidden/x.txt": None},
    ),
    Scenario(
        "settings of taste change nothing",
        (A[0], {"a.txt": nine(OTHER_CLASH), "b.txt": nine(THEIRS)}),
        awkward_settings,
        code=3,
        then={"a.txt": CLASHED, "moved.txt": nine(THEIRS), "b.txt": None},
        stages={"a.txt": "123"},
    ),
    Scenario(
        "conflicts are written in the style that the person has set",
        (A[0], {"a.txt": nine(OTHER_CLASH)}),
        {"a.txt": nine(CLASH)},
        lambda place: place.config(merge__conflictStyle="zdiff3"),
        code=3,
        stages={"a.txt": "123"},
        after=(with_base,),
    ),
    Scenario(
        "a repository without commits is refused", A, layout="unborn", code=1, says=("commit",)
    ),
    Scenario(
        "a folder in no repository is refused",
        A,
        layout="plain",
        code=1,
        says=("git",),
    ),
    Scenario(
        "several versions at once give what step by step gives",
        STEPS,
        EDITED,
        then={
            "a.txt": nine(MINE | {9: "second", 7: "theirs: third"}),
            "b.txt": None,
            "c.txt": None,
            "d.txt": nine(THEIRS),
        },
        after=(as_step_by_step,),
    ),
    Scenario(
        "the version asked for is the one that comes",
        STEPS,
        args=("--to", "v2.0.0"),
        then={"a.txt": nine({9: "second"}), "c.txt": nine()},
    ),
    Scenario(
        "a project that is current stays as it is",
        A,
        EDITED,
        new=(),
        same=True,
        says=("already at v2.0.0",),
        json=False,
    ),
    Scenario("a current project says so in JSON too", A, EDITED, new=(), same=True),
    Scenario(
        "a current project with uncommitted work stays as it is",
        A,
        dirty={"a.txt": nine(MINE)},
        new=(),
        same=True,
    ),
    Scenario(
        "an older version is refused",
        A,
        new=(),
        args=("--to", "v1.0.0"),
        code=1,
        says=("v1.0.0", "v2.0.0"),
    ),
    Scenario(
        "a version that there is not is refused",
        A,
        args=("--to", "v7.0.0"),
        code=2,
        says=("v7.0.0",),
    ),
)
