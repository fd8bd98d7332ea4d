"""After an update with conflicts, `git commit` finds a message; undoing takes it away again."""

import re
from pathlib import Path

import pytest

from tests.support import ANSWERS_FILE, IDENTITY, ROOT, commit, run, sh, template
from tests.warm import cli

MESSAGE = "Update the template to v2.0.0\n"
EDITOR = {"GIT_EDITOR": "true"}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"MLOPS_SCAFFOLD_CACHE": str(tmp_path / "cache"), **IDENTITY, **EDITOR}


@pytest.fixture
def project(tmp_path: Path, env: dict[str, str]) -> Path:
    """A linked work tree, whose `.git` is a file, where an update has left a conflict."""
    source = template(tmp_path / "template", {"copier.yml": "", **ANSWERS_FILE, "a.txt": "1\n"})
    commit(source, {"a.txt": "2\n"}, tag="v2.0.0")
    argv = ("--template", source, "--ref", "v1.0.0", "--defaults", "--no-setup")
    assert cli("new", tmp_path / "main", *argv, env=env).returncode == 0
    sh("git", "worktree", "add", "-q", "../linked", cwd=tmp_path / "main")
    commit(tmp_path / "linked", {"a.txt": "mine\n"})
    return tmp_path / "linked"


def message(project: Path) -> Path:
    return project / sh("git", "rev-parse", "--git-path", "MERGE_MSG", cwd=project).strip()


def update(project: Path, env: dict[str, str]) -> str:
    done = cli("update", project, "--defaults", env=env)
    assert done.returncode == 3, done.stderr
    return done.stdout


def test_git_commit_finds_it_and_uses_it_up(project: Path, env: dict[str, str]) -> None:
    assert "its message is ready" in update(project, env)
    sh("git", "add", "a.txt", cwd=project)
    sh("git", "commit", "-q", cwd=project, env=env)
    assert sh("git", "log", "-1", "--format=%B", cwd=project).strip() == MESSAGE.strip()
    assert not message(project).exists()


def test_undo_takes_it_away(project: Path, env: dict[str, str]) -> None:
    update(project, env)
    assert message(project).read_text() == MESSAGE
    assert cli("undo", project, env=env).returncode == 0
    assert not message(project).exists()
    assert run("git", "commit", "--allow-empty", cwd=project, env=env).returncode != 0


def test_after_resolving_the_way_back_that_the_page_names_takes_it_away(
    project: Path, env: dict[str, str]
) -> None:
    update(project, env)
    sh("git", "add", "-A", cwd=project)
    assert cli("undo", project, env=env).returncode == 1
    page = (ROOT / "docs" / "undo.md").read_text()
    (words,) = re.findall(r"`(git restore --staged [^`]+)`", page)
    sh("sh", "-c", words, cwd=project)
    assert not message(project).exists()
    assert sh("git", "status", "--short", cwd=project) == ""


@pytest.mark.parametrize("name", ["MERGE_MSG", "SQUASH_MSG"])
def test_one_that_waits_already_is_left_alone(
    project: Path, env: dict[str, str], name: str
) -> None:
    theirs = message(project).with_name(name)
    theirs.write_text("Squashed: mine\n")
    update(project, env)
    assert cli("undo", project, env=env).returncode == 0
    assert [file.name for file in message(project).parent.glob("*_MSG")] in ([name], [name])
    assert theirs.read_text() == "Squashed: mine\n"


def test_without_conflicts_there_is_none(project: Path, env: dict[str, str]) -> None:
    commit(project, {"a.txt": "1\n"})
    assert cli("update", project, "--defaults", env=env).returncode == 0
    assert not message(project).exists()
