"""Several commands at once: of one project one works, of several projects all do."""

import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kills import Trial, kill, look, measure, pause, start
from tests.support import IDENTITY, clean_environment, sh
from tests.trials import make_project, make_template, update_trial
from tests.warm import KILL, cli

MANY = 8


def at_once(argvs: Sequence[Sequence[str]], env: dict[str, str]) -> list[tuple[int, str]]:
    """Start commands at the same time; exit code and errors of each."""
    program, environment = [sys.executable, "-m", "scaffold"], clean_environment() | env
    none, pipe = subprocess.DEVNULL, subprocess.PIPE
    started = [
        subprocess.Popen(
            [*program, *argv], env=environment, stdin=none, stdout=none, stderr=pipe, text=True
        )
        for argv in argvs
    ]
    said = [process.communicate(timeout=120)[1] for process in started]
    return [(process.returncode, errors) for process, errors in zip(started, said, strict=True)]


@pytest.fixture
def tried(tmp_path: Path) -> Trial:
    return update_trial(tmp_path, 1)


def test_while_one_update_is_at_work_another_says_so(tried: Trial) -> None:
    with pause(tried, KILL):  # before its journal, with all that it needs
        for verb in ("update", "undo"):
            done = cli(verb, tried.repository, env=tried.env)
            assert done.returncode == 1
            assert "another update" in done.stderr and "is running" in done.stderr
        assert cli("status", tried.repository, env=tried.env).returncode == 5
        assert look(tried.repository) == tried.old


def test_of_two_updates_at_the_same_time_one_works(tried: Trial) -> None:
    tried.refresh()
    done = at_once([tried.argv] * 2, dict(tried.env))
    codes = sorted(code for code, _ in done)
    assert codes == [1, 3], done
    assert look(tried.repository) == tried.new
    (why,) = (errors for code, errors in done if code == 1)
    assert "is running" in why or "unresolved conflicts" in why
    assert cli("undo", tried.repository, env=tried.env).returncode == 0
    assert look(tried.repository) == tried.old


@pytest.mark.parametrize("url", ["{}", "file://{}"], ids=["folder", "URL"])
def test_eight_updates_from_one_template_all_succeed_with_an_empty_cache(
    url: str, tmp_path: Path
) -> None:
    source = make_template(tmp_path / "template", 1)
    made = IDENTITY | cache(tmp_path / "unused")
    first = make_project(tmp_path / "made" / "churn-model", url.format(source), made)
    folders = [tmp_path / str(number) / "churn-model" for number in range(MANY)]
    for folder in folders:
        folder.parent.mkdir()
        sh("cp", "-a", first, folder)
    argvs = [("update", str(folder), "--defaults") for folder in folders]
    for code, errors in at_once(argvs, IDENTITY | cache(tmp_path / "cache")):
        assert code == 3, errors
    states = [look(folder) for folder in folders]
    assert all(state == states[0] for state in states)
    assert half_made(tmp_path / "cache") == []


def test_a_kill_spoils_no_cache_that_others_use(tried: Trial, tmp_path: Path) -> None:
    chance = random.Random(11)
    whole, *_ = measure(tried)
    for number in range(6):
        env = dict(tried.env) | cache(tmp_path / f"cache-{number}")
        tried.refresh()
        process = start(Trial(**{**vars(tried), "env": env}))
        time.sleep(chance.uniform(0.3, 1) * whole)
        kill(process, group=bool(number % 2))
        tried.refresh()
        done = cli(*tried.argv, env=env)
        assert done.returncode == 3, done.stderr
        assert look(tried.repository) == tried.new


def test_a_lock_that_a_killed_git_left_in_the_cache_is_no_matter(tried: Trial) -> None:
    folder = Path(tried.env["MLOPS_SCAFFOLD_CACHE"])
    kept = [path for path in folder.rglob("refs/renderings/*") if path.is_file()]
    assert kept
    for path in kept:
        path.rename(path.with_name(f"{path.name}.lock"))
    tried.refresh()
    done = cli(*tried.argv, env=tried.env)
    assert done.returncode == 3, done.stderr
    assert look(tried.repository) == tried.new


def cache(folder: Path) -> dict[str, str]:
    return {"MLOPS_SCAFFOLD_CACHE": str(folder)}


def half_made(folder: Path) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(("making-", "index-", "tmp_obj_")) or path.suffix == ".lock"
    ]
