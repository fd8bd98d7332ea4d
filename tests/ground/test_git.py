"""Every git call is hardened, bounded in time, and fails in words."""

import os
from pathlib import Path

import pytest

from scaffold.ground import git
from scaffold.ground.errors import ScaffoldError
from tests.support import commit, sh


def test_no_hook_and_no_monitor_runs(tmp_path: Path) -> None:
    commit(tmp_path, {"a": "a"})
    for hook in ("pre-commit", "post-commit", "reference-transaction"):
        path = tmp_path / ".git/hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        path.chmod(0o755)
    sh("git", "config", "core.fsmonitor", f"touch {tmp_path}/ran", cwd=tmp_path)
    (tmp_path / "a").write_text("b")
    assert git.git("status", "--porcelain", cwd=tmp_path) == " M a\n"
    identity = ("-c", "user.name=T", "-c", "user.email=t@localhost")
    git.git(*identity, "commit", "-qam", "b", cwd=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_the_ext_transport_is_never_used(tmp_path: Path) -> None:
    with pytest.raises(git.GitError, match="not allowed"):
        git.git("clone", f"ext::touch {tmp_path}/ran", str(tmp_path / "x"))
    assert not (tmp_path / "ran").exists()


def test_a_private_environment_reads_no_settings_of_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[my]\nown = yes\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "my.other")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "too")
    assert git.git("config", "my.own") == "yes\n"
    assert git.git("config", "my.other") == "too\n"
    private = git.environment(private=True)
    assert not git.succeeds("config", "my.own", env=private)
    assert not git.succeeds("config", "my.other", env=private)


def test_a_calling_gits_repository_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(tmp_path / "theirs", {"a": "a"})
    commit(tmp_path / "ours", {"b": "b"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "theirs/.git"))
    assert git.git("ls-files", cwd=tmp_path / "ours") == "b\n"


def test_a_failure_says_what_git_said(tmp_path: Path) -> None:
    with pytest.raises(git.GitError) as failure:
        git.git("log", cwd=tmp_path)
    assert "not a git repository" in failure.value.cause
    assert failure.value.remedy


def test_a_call_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ScaffoldError, match="no answer within 0 s"):
        git.git("fetch", seconds=0.2)


def test_names_that_are_no_utf8_survive(tmp_path: Path) -> None:
    commit(tmp_path)
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).touch()
    listed = git.git("ls-files", "-oz", cwd=tmp_path)
    assert listed == f"{name}\0"


@pytest.mark.parametrize("who", ["$$", "$PPID"], ids=["a program of git's", "git itself"])
def test_ctrl_c_that_reaches_git_first_is_an_interruption_and_no_fault(who: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        git.raw("-c", f"alias.stop=!kill -INT {who}", "stop")
