"""Questions that come, go and change, and answers that no longer fit."""

from collections.abc import Callable

from tests.scenarios.model import (
    ANSWERS,
    MINE,
    THEIRS,
    After,
    Content,
    Place,
    Scenario,
    nine,
    put,
)
from tests.support import Done

SIZE = "size:\n  type: int\n  default: 3\n"
CHOICE = "ci:\n  type: str\n  default: {0}\n  choices: [{1}]\n"
TEXT = {"a.txt": nine(), "about.txt.jinja": "{{ size }} {{ ci|default('none') }}\n"}
LAB = {"copier.yml": SIZE + CHOICE.format("gitlab", "github, gitlab"), **TEXT}
HUB = {"copier.yml": SIZE + CHOICE.format("github", "github, forgejo"), "a.txt": nine(THEIRS)}
TEAM = "team:\n  type: str\n  default: fraud\n"
LABELLED = """\
ci:
  type: str
  default: github
  choices: [[GitHub, github], [Own, lab-and-runners]]
"""
DEPENDS = """\
image:
  type: str
  default: "{{ 'three' if size == 3 else 'four' }}"
  choices:
    Three: {value: three, validator: "{{ 'no' if size != 3 }}"}
    Four: {value: four, validator: "{{ 'no' if size != 4 }}"}
"""
SEVERAL = """\
versions:
  type: str
  multiselect: true
  choices: ['3.10', '3.11', '3.12']
  default: ['3.10']
"""


def asks(questions: str) -> dict[str, Content]:
    """Return a version that only changes the questions, and a line of a.txt."""
    return {"copier.yml": questions, "a.txt": nine(THEIRS)}


def recorded(*lines: str) -> After:
    """Return a check that the answers file has these lines."""

    def look(place: Place, done: Done) -> None:
        assert set(lines) <= set(str(place.read(ANSWERS)).splitlines())

    return look


def not_recorded(name: str) -> After:
    """Return a check that the answers file has no such answer."""

    def look(place: Place, done: Done) -> None:
        assert name not in str(place.read(ANSWERS))

    return look


def said(*words: str) -> After:
    """Return a check that the plan has these words."""

    def look(place: Place, done: Done) -> None:
        assert all(word in done.stdout for word in words)

    return look


def by_hand(old: str, new: str) -> Callable[[Place], None]:
    """Return the edit of a person who changes the answers file by hand."""

    def edit(place: Place) -> None:
        text = str(place.read(ANSWERS))
        assert old in text
        put(place.project, {ANSWERS: text.replace(old, new)})

    return edit


SCENARIOS = (
    Scenario(
        "a new question takes its default",
        ({"a.txt": nine()}, {**asks(SIZE + TEAM), "b.txt.jinja": "{{ team }}\n"}),
        {"a.txt": nine(MINE)},
        then={"a.txt": nine(MINE | THEIRS), "b.txt": "fraud\n"},
        answers={"team": ("new", None, "fraud")},
        after=(recorded("team: fraud", "size: 3", "_commit: v2.0.0"),),
    ),
    Scenario(
        "a new question without a default is named",
        ({"a.txt": nine()}, asks(SIZE + "team:\n  type: str\n")),
        code=2,
        says=("team", "--data"),
    ),
    Scenario(
        "a new question without a default names its choices",
        ({"a.txt": nine()}, asks(SIZE + "ci:\n  type: str\n  choices: {Lab: lab, Hub: hub}\n")),
        code=2,
        says=("'ci' has no answer and no default", "--data ci=..., one of lab, hub"),
    ),
    Scenario(
        "a new question without a default takes what --data says",
        ({"a.txt": nine()}, asks(SIZE + "team:\n  type: str\n")),
        args=("--data", "team=risk"),
        answers={"team": ("given", None, "risk")},
        after=(recorded("team: risk"),),
    ),
    Scenario(
        "a choice that the new version refuses is named, with the default",
        (LAB, HUB),
        code=2,
        says=("ci: 'gitlab' would become 'github'", "--data ci=..., one of github, forgejo"),
    ),
    Scenario(
        "a choice that got another name is found among those that have a label",
        (LAB, {**HUB, "copier.yml": SIZE + LABELLED}),
        code=2,
        says=("'gitlab' would become 'github'", "--data ci=..., one of github, lab-and-runners"),
    ),
    Scenario(
        "a refused choice is named even in a dry run",
        (LAB, HUB),
        args=("--dry-run",),
        code=2,
        says=("ci", "gitlab"),
    ),
    Scenario(
        "a choice that the new version refuses is replaced by --data",
        (LAB, HUB),
        {"a.txt": nine(MINE)},
        args=("--data", "ci=forgejo"),
        then={"a.txt": nine(MINE | THEIRS), "about.txt": "3 forgejo\n"},
        answers={"ci": ("given", "gitlab", "forgejo")},
    ),
    Scenario(
        "an answer that a new validator refuses is named",
        (
            {"a.txt": nine()},
            asks(SIZE + "  validator: '{% if size < 5 %}at least 5{% endif %}'\n"),
        ),
        code=2,
        says=("size", "at least 5"),
    ),
    Scenario(
        "an answer to a question that is gone is dropped and named",
        ({"copier.yml": SIZE + TEAM, **TEXT}, asks(SIZE)),
        then={"a.txt": nine(THEIRS)},
        answers={"team": ("dropped", "fraud", None)},
        after=(not_recorded("team"),),
    ),
    Scenario(
        "an answer whose type no longer fits is named",
        (
            {"copier.yml": "size:\n  type: str\n  default: large\n", "a.txt": nine()},
            asks("size:\n  type: int\n  default: 3\n"),
        ),
        code=2,
        says=("size", "large"),
    ),
    Scenario(
        "an answer whose type changed and still fits is kept",
        (
            {"copier.yml": SIZE, **TEXT},
            asks("size:\n  type: str\n  default: large\n"),
        ),
        then={"a.txt": nine(THEIRS), "about.txt": "3 none\n"},
    ),
    Scenario(
        "a recorded answer outlives a new default",
        (LAB, {"copier.yml": SIZE + CHOICE.format("github", "github, gitlab")}),
        then={"about.txt": "3 gitlab\n"},
        after=(recorded("ci: gitlab", "_commit: v2.0.0"),),
    ),
    Scenario(
        "an answer changes without a new version",
        (LAB,),
        {"a.txt": nine(MINE)},
        args=("--data", "ci=github"),
        then={"about.txt": "3 github\n", "a.txt": nine(MINE)},
        answers={"ci": ("given", "gitlab", "github")},
        after=(recorded("ci: github", "_commit: v1.0.0"),),
    ),
    Scenario(
        "an answer given again as it is changes nothing",
        (LAB,),
        {"a.txt": nine(MINE)},
        args=("--data", "ci=gitlab"),
        same=True,
    ),
    Scenario(
        "a question that there is not is refused",
        (LAB, asks(SIZE)),
        args=("--data", "color=red"),
        code=2,
        says=("color",),
    ),
    Scenario(
        "an answer of the wrong type is refused",
        (LAB, asks(SIZE)),
        args=("--data", "size=many"),
        code=2,
        says=("size", "many"),
    ),
    Scenario(
        "a secret that was given at the start and is not recorded survives in its file",
        (
            {
                "copier.yml": "token:\n  type: str\n  secret: true\n  default: none\n",
                "token.txt.jinja": "# {{ token }}\n" + nine(),
            },
            {"token.txt.jinja": "# {{ token }}\n" + nine(THEIRS)},
        ),
        new=("--ref", "v1.0.0", "--data", "token=mine: token"),
        then={"token.txt": "# mine: token\n" + nine(THEIRS)},
        after=(not_recorded("mine"),),
    ),
    Scenario(
        "a date that was written by hand is the text that it looks like",
        (
            {"copier.yml": "day:\n  type: str\n  default: ''\n", "day.txt.jinja": "{{ day }}\n"},
            {"a.txt": nine(THEIRS)},
        ),
        by_hand("day: ''", "day: 2026-01-01"),
        then={"a.txt": nine(THEIRS), "day.txt": "\n"},
        answers={"day": ("edited", "", "2026-01-01")},
        after=(recorded("day: '2026-01-01'"),),
    ),
    Scenario(
        "a choice that another answer rules out is named, with what it would be",
        ({**TEXT, "copier.yml": SIZE + DEPENDS}, {"a.txt": nine(THEIRS)}),
        args=("--data", "size=4"),
        code=2,
        says=("image: 'three' would become 'four'", "--data image=four"),
    ),
    Scenario(
        "a list is given on the command line as YAML",
        ({**TEXT, "copier.yml": SEVERAL}, {"a.txt": nine(THEIRS)}),
        args=("--data", "versions=['3.11', '3.12']"),
        then={"a.txt": nine(THEIRS)},
        answers={"versions": ("given", ["3.10"], ["3.11", "3.12"])},
    ),
    Scenario(
        "an answer changed by hand in the answers file counts",
        ({**TEXT}, {"a.txt": nine(THEIRS)}),
        by_hand("size: 3", "size: 4"),
        then={"a.txt": nine(THEIRS), "about.txt": "3 none\n"},
        after=(recorded("size: 4"),),
    ),
    Scenario(
        "an answer that no version takes, written by hand, is named",
        ({**TEXT}, {"a.txt": nine(THEIRS)}),
        by_hand("size: 3", "size: many"),
        code=2,
        says=("size", "many"),
    ),
)
