"""`update` on every scenario of the table: what it must do, and what it must never do.

Whatever a scenario is about, these hold: no line that a person wrote is lost, the exit code is a
documented one, no traceback, nobody's code ran, nothing changed outside the project or in its git
folder beyond index and objects, a refusal changes nothing at all, and `undo` is exact.
"""

import json
from pathlib import Path

import pytest

from tests.scenarios import SCENARIOS
from tests.scenarios.model import Place, Scenario
from tests.scenarios.place import Stock, build, stages, take_stock
from tests.support import Done

CHANGES = {"added", "changed", "merged", "deleted", "renamed", "conflict", "kept-deleted"}
CHANGES |= {"left-to-add"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    place = build(scenario, tmp_path / "place")
    before = take_stock(place)
    done = command("update", place, *arguments(scenario, place))
    assert done.returncode == scenario.code, done.stderr
    after = take_stock(place)
    conflicts = scenario.code == 3 and not scenario.unchanged
    harmless(place, before, after, has_message=conflicts)
    for word in scenario.says:
        assert word in done.stdout + done.stderr
    if scenario.unchanged:
        assert identical(before, after)
    else:
        assert applied(place, scenario, before, after)
    if scenario.code in (0, 3) and scenario.json:
        planned(scenario, json.loads(done.stdout))
    if scenario.code in (1, 2, 4):
        assert done.stdout == ""
        assert done.stderr.count("error: ") == done.stderr.count("   try: ") == 1
    for look in scenario.after:
        look(place, done)
    if not scenario.unchanged:
        undone = command("undo", place, str(place.project))
        assert undone.returncode == 0, undone.stderr
        last = take_stock(place)
        harmless(place, before, last)
        assert identical(before, last)


def command(verb: str, place: Place, *argv: str) -> Done:
    """Run one verb, which explains itself and runs nobody's code."""
    place.witness.unlink(missing_ok=True)
    done = place.cli(verb, *argv)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert not place.witness.exists(), "code of the project or of the template ran"
    return done


def arguments(scenario: Scenario, place: Place) -> list[str]:
    words = [word.format(folder=place.folder) for word in scenario.args]
    path = [] if words and words[0].startswith("/") else [str(place.project)]
    return [*path, *words, "--defaults", *(["--json"] if scenario.json else [])]


def harmless(place: Place, before: Stock, after: Stock, *, has_message: bool = False) -> None:
    """Nothing is lost, and nothing is touched that is not the project's.

    Where there are conflicts, `git commit` has its message prepared.
    """
    assert before.lost(after) == set()
    had, has = before.forbidden(place), after.forbidden(place)
    if has_message:
        (message,) = has.keys() - had.keys()
        assert message.endswith("/MERGE_MSG")
        del has[message]
    assert had == has


def identical(before: Stock, after: Stock) -> bool:
    """Work tree, index and status are as before."""
    assert after.outside_git() == before.outside_git()
    assert after.index == before.index
    assert after.status == before.status
    return True


def applied(place: Place, scenario: Scenario, before: Stock, after: Stock) -> bool:
    """The files are as expected, and the index agrees with them but for the conflicts."""
    for name, expected in scenario.then.items():
        assert place.read(name) == expected, name
    unmerged = stages(place)
    if scenario.code == 3:
        assert unmerged
        assert scenario.stages in ({}, unmerged)
    else:
        assert unmerged == {}
    left = {name for name, change in scenario.plan.items() if change == "left-to-add"}
    inner = place.project.relative_to(place.repository)
    allowed = {str(inner / name) for name in {*unmerged, *left}}
    assert after.unstaged - before.unstaged <= allowed
    return True


def planned(scenario: Scenario, plan: dict[str, object]) -> None:
    """The JSON says what happened, and nothing that did not."""
    outcomes = ["conflicts"] if scenario.code == 3 else ["updated", "current"]
    assert plan["schema"] == 1 and plan["command"] == "update"
    assert plan["outcome"] in (["planned"] if "--dry-run" in scenario.args else outcomes)
    files = {entry["path"]: entry["change"] for entry in plan["files"]}  # type: ignore[attr-defined]
    assert set(files.values()) <= CHANGES
    assert files | dict(scenario.plan) == files
    answers = {
        entry["question"]: (entry["change"], entry["old"], entry["new"])
        for entry in plan["answers"]  # type: ignore[attr-defined]
    }
    assert answers | dict(scenario.answers) == answers
