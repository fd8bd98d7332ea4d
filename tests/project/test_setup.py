"""When a step of the setup fails, the project stays usable and says what to type."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from scaffold.ground.errors import ScaffoldError
from scaffold.project import setup
from tests.support import Done, clean_environment, cli, sh

NEW = ("new", "churn-model", "--defaults", "--ref", "HEAD")


def failing(tmp_path: Path, verb: str) -> Mapping[str, str]:
    """An environment whose uv does what uv does, but for one verb that fails."""
    real = setup.find_uv()
    tools = tmp_path / "tools"
    tools.mkdir()
    fake = tools / "uv"
    fake.write_text(
        f'#!/bin/sh\nif [ "$1" = {verb} ]; then echo "no network"; exit 7; fi\nexec {real} "$@"\n'
    )
    fake.chmod(0o755)
    return {"PATH": f"{tools}:{clean_environment()['PATH']}"}


def unfinished(done: Done, *commands: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "no network" in done.stderr
    (remedy,) = [line for line in done.stderr.splitlines() if line.startswith("   try: ")]
    for command in ("cd churn-model", *commands):
        assert command in remedy


def test_a_lock_that_fails_leaves_a_committed_project(tmp_path: Path) -> None:
    done = cli(*NEW, cwd=tmp_path, env=failing(tmp_path, "lock"))
    unfinished(done, "uv lock", "git add uv.lock && git commit", "uv sync")
    assert sh("git", "status", "--porcelain", cwd=tmp_path / "churn-model") == ""
    assert not (tmp_path / "churn-model/uv.lock").exists()


def test_an_install_that_fails_leaves_what_a_fresh_clone_is(tmp_path: Path) -> None:
    done = cli(*NEW, cwd=tmp_path, env=failing(tmp_path, "sync"))
    unfinished(done, "uv sync --locked", "uv run pre-commit install")
    made = tmp_path / "churn-model"
    assert sh("git", "status", "--porcelain", cwd=made) == ""
    assert "uv.lock" in sh("git", "ls-files", cwd=made).split()


def test_a_persons_own_hooks_folder_is_respected(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    (home / ".gitconfig").write_text(f"[core]\nhooksPath = {home}/hooks\n")
    env = {"GIT_CONFIG_GLOBAL": str(home / ".gitconfig")}
    done = cli(*NEW, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert "core.hooksPath" in done.stderr
    assert list((home / "hooks").iterdir()) == []


def test_an_active_environment_is_not_the_projects(tmp_path: Path) -> None:
    env = {"VIRTUAL_ENV": str(tmp_path / "elsewhere")}
    done = cli(*NEW, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "churn-model/.venv/bin/python").exists()
    assert not (tmp_path / "elsewhere").exists()
    assert "VIRTUAL_ENV" not in done.stderr


def test_uv_beside_the_program_is_found_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    try:
        assert Path(setup.find_uv()).name == "uv"
    except ScaffoldError:
        pytest.skip("uv is on this machine, but not beside this Python")
