"""Answers that a new version does not ask for any more: which of them stop an update."""

from tests.scenarios.answers import SIZE, TEAM, TEXT, asks, not_recorded, said
from tests.scenarios.model import MINE, THEIRS, Scenario, nine

HIDES = (TEXT, {"copier.yml": TEAM + SIZE + "  when: false\n", "a.txt": nine(THEIRS)})
SEVEN = ("--ref", "v1.0.0", "--data", "size=7")
WHEN = SIZE + "  when: \"{{ team == 'fraud' }}\"\n"


SCENARIOS = (
    Scenario(
        "an answer that the new version hides is named",
        ({"copier.yml": SIZE + TEAM, **TEXT}, asks(SIZE + TEAM + "  when: '{{ size > 5 }}'\n")),
        new=("--ref", "v1.0.0", "--data", "team=risk"),
        then={"a.txt": nine(THEIRS)},
        after=(
            not_recorded("team"),
            said('"team"', '"risk"'),
        ),
    ),
    Scenario(
        "a recorded answer that the new version hides and changes stops the update",
        HIDES,
        {"a.txt": nine(MINE)},
        new=SEVEN,
        code=2,
        says=("any more: size: 7 would become 3, which changes about.txt", "--accept"),
    ),
    Scenario(
        "a recorded answer goes with --accept",
        HIDES,
        {"a.txt": nine(MINE)},
        new=SEVEN,
        args=("--accept",),
        then={"a.txt": nine(MINE | THEIRS), "about.txt": "3 none\n"},
        answers={"size": ("hidden", 7, 3)},
    ),
    Scenario(
        "an answer that hides others was given, so they may go",
        (TEXT, asks(TEAM + WHEN)),
        {"a.txt": nine(MINE)},
        new=SEVEN,
        args=("--data", "team=risk"),
        then={"a.txt": nine(MINE | THEIRS), "about.txt": "3 none\n"},
    ),
    Scenario(
        "an answer about something else does not let hidden ones go",
        (TEXT, asks(TEAM + SIZE + "  when: '{{ false }}'\n")),
        new=SEVEN,
        args=("--data", "team=risk"),
        code=2,
        says=("size: 7 would become 3", "--data size=7"),
    ),
    Scenario(
        "a hidden answer that is given again keeps what it made",
        (TEXT, asks(TEAM + SIZE + "  when: '{{ false }}'\n")),
        new=SEVEN,
        args=("--data", "size=7"),
        then={"a.txt": nine(THEIRS), "about.txt": "7 none\n"},
        after=(not_recorded("size"),),
    ),
    Scenario(
        "a hidden answer that no file shows stops nothing",
        ({**TEXT, "copier.yml": TEAM + SIZE}, asks(TEAM + "  when: '{{ size > 5 }}'\n" + SIZE)),
        new=("--ref", "v1.0.0", "--data", "team=risk"),
        then={"a.txt": nine(THEIRS), "about.txt": "3 none\n"},
        answers={"team": ("hidden", "risk", "fraud")},
    ),
    Scenario(
        "an answer to an included question that the new version hides stops the update too",
        (
            {**TEXT, "copier.yml": "!include more.yml\n", "more.yml": SIZE},
            {"more.yml": SIZE + "  when: false\n"},
        ),
        new=SEVEN,
        code=2,
        says=("size: 7 would become 3", "--accept"),
    ),
    Scenario(
        "an answer that is hidden and stays what it was stops nothing",
        HIDES,
        {"a.txt": nine(MINE)},
        then={"a.txt": nine(MINE | THEIRS), "about.txt": "3 none\n"},
        answers={"size": ("hidden", 3, 3)},
    ),
)
