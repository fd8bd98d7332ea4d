"""Projects of plain copier, and what plain copier does after us."""

from pathlib import Path

from tests.scenarios.model import (
    ANSWERS,
    MINE,
    THEIRS,
    After,
    Exec,
    Files,
    Link,
    Place,
    Scenario,
    nine,
)
from tests.scenarios.place import copy
from tests.support import IDENTITY, Done, commit, sh

QUESTIONS = """\
_preserve_symlinks: true
name:
  type: str
  default: '{{ _folder_name }}'
size:
  type: int
  default: 3
labels:
  type: yaml
  default: [a, "b: c"]
note:
  type: str
  default: |
    two
    lines
"""
KINDS: tuple[Files, Files] = (
    {
        "copier.yml": QUESTIONS,
        "a.txt": nine(),
        "gone.txt": nine(),
        "{{ name }}/x.txt.jinja": "{{ size }}\n",
        "run.sh": "run\n",
        "to": Link("a.txt"),
        ".gitignore": "*.log\n",
        "trace.log": "one\n",
        "crlf.txt": "1\r\n2\r\n",
        "a.bin": bytes(range(256)),
    },
    {
        "copier.yml": QUESTIONS + "team:\n  type: str\n  default: 'yes'\n",
        "a.txt": nine(THEIRS),
        "gone.txt": None,
        "{{ name }}/x.txt.jinja": "{{ size }} {{ team }}\n",
        "run.sh": Exec("run more\n"),
        "to": Link("run.sh"),
        "new/deep/y.txt": "theirs: y\n",
        "crlf.txt": "1\r\n2\r\n3\r\n",
        "a.bin": bytes(range(255)),
        "end.txt": "no newline",
    },
)
THREE = (
    {"a.txt": nine(), "b.txt": nine()},
    {"a.txt": nine({9: "second"}), "b.txt": nine(THEIRS)},
    {"a.txt": nine({9: "second", 7: "theirs: third"}), "b.txt": nine(THEIRS)},
)
MERGED = nine(MINE | {9: "second", 7: "theirs: third"})


def tree(folder: Path) -> dict[str, object]:
    """Return every file below a folder, but git's: what it is, its mode, its bytes."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.readlink() if path.is_symlink() else path.read_bytes(),
        )
        for path in folder.rglob("*")
        if (path.is_symlink() or path.is_file()) and ".git" not in path.relative_to(folder).parts
    }


def copier(place: Place, verb: str, *argv: str | Path) -> None:
    """Run plain copier."""
    env = IDENTITY | {"HOME": str(place.folder.parent)}
    sh("copier", verb, "-q", "--defaults", *argv, env=env)


def as_copied(*data: str) -> After:
    """Return a check that the project is what `copier copy` makes at the new version."""

    def look(place: Place, done: Done) -> None:
        fresh = place.folder.parent / "fresh" / place.project.name
        copier(place, "copy", "--vcs-ref", "v2.0.0", *data, place.template, fresh)
        made, now = tree(fresh), tree(place.project)
        ignored = {"trace.log"}  # not in git, so it is nobody's business
        assert {k: v for k, v in now.items() if k not in ignored} == {
            k: v for k, v in made.items() if k not in ignored
        }

    return look


def answers_as_updated(*data: str) -> After:
    """Return a check that `copier update` writes the same answers file."""

    def look(place: Place, done: Done) -> None:
        theirs = copy(place)
        theirs.git("reset", "-q", "--hard")
        copier(theirs, "update", *data, theirs.project)
        assert theirs.read(ANSWERS) == place.read(ANSWERS)

    return look


def then_copier(place: Place, done: Done) -> None:
    """Plain `copier update` takes the next version after ours."""
    after = copy(place)
    after.commit()
    copier(after, "update", after.project)
    assert after.read("a.txt") == MERGED
    assert "_commit: v3.0.0\n" in str(after.read(ANSWERS))


def copier_first(place: Place) -> None:
    """Let plain copier do the first update."""
    place.commit({"a.txt": nine(MINE)})
    copier(place, "update", "--vcs-ref", "v2.0.0", place.project)


def conflict_then_copier(place: Place, done: Done) -> None:
    """Once the conflict is resolved and committed, plain copier goes on."""
    after = copy(place)
    after.commit({"a.txt": nine({9: "mine: and second"})})
    copier(after, "update", after.project)
    assert after.read("a.txt") == nine({9: "mine: and second", 7: "theirs: third"})


def two_templates(place: Place) -> None:
    """Have a second template in the same project, with its own answers file."""
    second = place.folder / "second"
    first = {"copier.yml": "ci:\n  default: x\n", "ci.txt": nine()}
    named = {"{{_copier_conf.answers_file}}.jinja": "{{ _copier_answers|to_nice_yaml -}}\n"}
    commit(second, {**first, **named}, tag="v1.0.0")
    commit(second, {"ci.txt": nine(THEIRS)}, tag="v2.0.0")
    options = ("-a", ".copier-answers.ci.yml", "--vcs-ref", "v1.0.0")
    copier(place, "copy", *options, second, place.project)
    place.commit({"ci.txt": nine(MINE)})


SCENARIOS = (
    Scenario(
        "an unedited project becomes what copier copy makes",
        KINDS,
        after=(as_copied("-d", "name=churn-model"), answers_as_updated()),
    ),
    Scenario(
        "an unedited project of copier copy becomes what copier copy makes",
        KINDS,
        layout="copied",
        after=(as_copied("-d", "name=churn-model"), answers_as_updated()),
    ),
    Scenario(
        "answers given on the way are recorded as copier records them",
        KINDS,
        new=("--ref", "v1.0.0", "--data", "size=7"),
        args=("--data", "team=a 'quoted': one", "--data", "labels=[1, 2]"),
        after=(
            answers_as_updated("-d", "team=a 'quoted': one", "-d", "labels=[1, 2]"),
            as_copied("-d", "size=7", "-d", "team=a 'quoted': one", "-d", "labels=[1, 2]"),
        ),
    ),
    Scenario(
        "an edited project of copier copy",
        KINDS,
        {"a.txt": nine(MINE), "own.txt": "mine: own\n"},
        layout="copied",
        then={"a.txt": nine(MINE | THEIRS), "own.txt": "mine: own\n", "gone.txt": None},
        after=(answers_as_updated(),),
    ),
    Scenario(
        "plain copier update works after ours",
        THREE,
        {"a.txt": nine(MINE)},
        args=("--to", "v2.0.0"),
        after=(then_copier,),
    ),
    Scenario(
        "ours works after plain copier update",
        THREE,
        copier_first,
        then={"a.txt": MERGED, "b.txt": nine(THEIRS)},
    ),
    Scenario(
        "plain copier update works after a resolved conflict of ours",
        THREE,
        {"a.txt": nine({9: "mine: last"})},
        args=("--to", "v2.0.0"),
        code=3,
        stages={"a.txt": "123"},
        after=(conflict_then_copier,),
    ),
    Scenario(
        "of two templates in one project only the one that is named is updated",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        two_templates,
        args=("{folder}/churn-model/.copier-answers.ci.yml",),
        then={"ci.txt": nine(MINE | THEIRS), "a.txt": nine()},
    ),
    Scenario(
        "of two templates in one project the one of the usual name is meant by the folder",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        two_templates,
        then={"ci.txt": nine(MINE), "a.txt": nine(THEIRS)},
    ),
)
