"""kill -9, Ctrl-C and SIGTERM at any instant of update, undo and adopt leave no mixture."""

import os
import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kills import (
    Tally,
    Trial,
    kill_at_every_step,
    kill_at_random,
    kill_copies_at_random,
    look,
    steps,
    stopped_at_random,
)
from tests.trials import adopt_trial, undo_trial, update_trial
from tests.warm import FILL, INTERRUPT

LONG = "/".join(["a-rather-long-name-" * 8] * 4)  # so that Git is told of the index in two pieces
EACH = int(os.environ.get("EACH_STEP", "3"))  # 1 tries every step; else each time other ones


def share() -> tuple[int, int]:
    return random.randrange(EACH), EACH


def judged(tally: Tally) -> Tally:
    print(tally)
    assert tally.wrong == []
    assert tally.mixtures == 0
    assert tally.completed, "no kill came half-way"
    return tally


@pytest.mark.parametrize("seed", [0, 1])
def test_after_a_kill_at_random_the_next_command_completes_an_update(
    seed: int, tmp_path: Path
) -> None:
    tried = update_trial(tmp_path, 7)
    assert len([path for path, (mode, _) in tried.old.files.items() if mode]) >= 60
    tally = judged(kill_at_random(tried, 8, seed))
    assert judged(tally + kill_copies_at_random(tried, 44, seed)).kills == 52


def test_after_a_kill_at_any_step_the_next_command_completes_an_update(
    tmp_path: Path,
) -> None:
    tally = judged(kill_at_every_step(update_trial(tmp_path, 1, LONG), share()))
    assert tally.old and tally.completed > tally.kills / 4


def test_after_a_kill_at_any_step_the_next_command_completes_an_undo(
    tmp_path: Path,
) -> None:
    tally = judged(kill_at_every_step(undo_trial(update_trial(tmp_path, 1, LONG)), share()))
    assert tally.old and tally.new


def test_after_a_kill_at_any_step_the_next_command_completes_an_adoption(
    tmp_path: Path,
) -> None:
    judged(kill_at_every_step(adopt_trial(tmp_path, 0), share()))


@pytest.mark.parametrize("verb", ["status", "diff", "update"])
def test_also_a_command_that_needs_the_answers_file_completes_an_adoption(
    verb: str, tmp_path: Path
) -> None:
    tried = adopt_trial(tmp_path, 0)
    follow = (verb, str(tried.repository))
    judged(kill_at_every_step(replace(tried, nexts=[follow]), (0, 5)))


def test_after_sigterm_at_random_the_next_command_completes_an_update(tmp_path: Path) -> None:
    tally = kill_at_random(update_trial(tmp_path, 7), 6, 5, by=signal.SIGTERM)
    print(tally)
    assert (tally.wrong, tally.mixtures) == ([], 0)


def test_ctrl_c_at_random_leaves_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    tried, codes = update_trial(tmp_path, 7), []
    for what, code in stopped_at_random(tried, 8, 6, by=signal.SIGINT):
        found = look(tried.repository)
        assert found in (tried.old, tried.new), what
        assert left(tried) == [], what
        if (tried.ours / "lock").exists():  # before, Python may not yet have come to our code
            assert code == 130 or (code == 3 and found == tried.new), what
            codes.append(code)
    assert codes.count(130) > 2, codes


@pytest.mark.parametrize("verb", ["update", "undo"])
def test_ctrl_c_at_any_step_leaves_the_old_state_or_the_new_one(verb: str, tmp_path: Path) -> None:
    tried = small(verb, tmp_path)
    states = set()
    for step, code, said in steps(tried, INTERRUPT, (1, 2)):
        found = look(tried.repository)
        assert found in (tried.old, tried.new), step
        assert (code, left(tried)) == (130, []), step
        assert "error: interrupted" in said
        states.add(found == tried.new)
    assert states == {True, False}


@pytest.mark.parametrize("verb", ["update", "undo"])
def test_a_disk_that_is_full_at_any_step_changes_nothing(verb: str, tmp_path: Path) -> None:
    tried = small(verb, tmp_path)
    failed = 0
    for step, code, said in steps(tried, FILL):
        assert left(tried) == [], step
        if look(tried.repository) == tried.old:
            assert (code, said.count("error: ")) == (1, 1), step
            assert "error: No space left on device" in said
            failed += 1
        else:  # it was a folder that is there already, or a link that a copy will do for
            assert (look(tried.repository), code in (0, 3)) == (tried.new, True), step
    assert failed > 10


def small(verb: str, folder: Path) -> Trial:
    tried = update_trial(folder, 0)
    return undo_trial(tried) if verb == "undo" else tried


def left(tried: Trial) -> list[str]:
    """What only a kill may leave behind."""
    ours = [path.name for path in tried.ours.iterdir()] if tried.ours.exists() else []
    git = [path.name for path in tried.ours.parent.glob("*.lock")]
    return [name for name in (*ours, *git) if name not in ("lock", "undo", "sources")]
