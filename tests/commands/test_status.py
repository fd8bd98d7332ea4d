"""`status` and `diff`: where a project stands, and how it differs."""

import json
import sys
from pathlib import Path

import pytest

from tests.support import IDENTITY, SMALL, commit, run, sh, template, write
from tests.warm import cli


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project `p` of a template `t` that has one version."""
    source = template(tmp_path / "t", SMALL | {"a.txt": "a\nb\n", "b/c.txt": "c\n"})
    assert cli("new", tmp_path / "p", "--template", source).returncode == 0
    return tmp_path / "p"


def test_a_current_project_is_one_line_and_exit_0(project: Path) -> None:
    done = cli("status", project)
    assert done.returncode == 0, done.stderr
    expected = "template v1.0.0, the newest; answers file valid; no file differs from the template"
    assert done.stdout == f"p: {expected}\n"
    assert done.stderr == ""


def test_a_project_behind_says_how_far_and_exits_5(project: Path) -> None:
    for tag in ("v1.1.0", "v2.0.0", "v3.0.0rc1"):
        commit(project.parent / "t", tag=tag)
    write(project, {"a.txt": "mine\n", "own.txt": "my own\n"})
    (project / "b/c.txt").unlink()
    done = cli("status", ".", cwd=project)
    assert done.returncode == 5
    assert done.stdout == (
        "p: template v1.0.0, newest v2.0.0, 2 releases behind; answers file valid; "
        "2 files differ from the template\n"
    )
    assert "mlops-scaffold update --dry-run" in done.stderr


def test_json_holds_the_same_and_nothing_else_is_on_stdout(project: Path) -> None:
    commit(project.parent / "t", tag="v1.1.0")
    write(project, {"a.txt": "mine\n"})
    done = cli("status", project, "--json")
    assert done.returncode == 5
    assert json.loads(done.stdout) == {
        "schema": 1,
        "command": "status",
        "path": str(project),
        "project": "p",
        "template": {
            "url": str(project.parent / "t"),
            "version": "v1.0.0",
            "newest": "v1.1.0",
            "behind": 1,
            "unit": "release",
            "prerelease": None,
        },
        "answers": "valid",
        "conflicts": 0,
        "files": [{"path": "a.txt", "state": "changed"}],
        "edited": [],
        "problem": None,
    }


def test_a_cold_cache_gives_the_same_answer(project: Path, tmp_path: Path) -> None:
    write(project, {"a.txt": "mine\n"})
    for _ in range(2):
        done = cli("status", project, env={"MLOPS_SCAFFOLD_CACHE": str(tmp_path / "cold")})
        assert "1 file differs from the template" in done.stdout, done.stderr


def test_without_a_place_for_a_cache_it_works_too(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("status", project, env={"MLOPS_SCAFFOLD_CACHE": str(tmp_path / "file/cache")})
    assert "no file differs" in done.stdout, done.stderr


def test_status_and_help_import_neither_copier_nor_anything_else_that_is_slow(
    project: Path,
) -> None:
    code = (
        "import sys\nfrom scaffold.cli import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "found = {m.partition('.')[0] for m in sys.modules}\n"
        "print(sorted(found & {'copier', 'jinja2', 'pydantic', 'rich', 'questionary'}))"
    )
    for argv in (["status", str(project)], ["--help"]):
        assert sh(sys.executable, "-c", code, *argv).splitlines()[-1] == "[]"


def test_a_template_that_is_gone_is_said_and_the_version_still_shown(project: Path) -> None:
    (project.parent / "t").rename(project.parent / "moved")
    done = cli("status", project)
    assert done.returncode == 1
    assert "p: template v1.0.0, its newest version is unknown" in done.stdout
    assert "there is no folder" in done.stderr
    data = json.loads(cli("status", project, "--json").stdout)
    assert data["template"]["behind"] is None
    assert data["files"] is None
    assert "there is no folder" in data["problem"]


@pytest.mark.parametrize("verb", ["status", "diff", "update", "undo"])
def test_outside_a_project_it_is_said_what_to_do(tmp_path: Path, verb: str) -> None:
    done = cli(verb, tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert done.stderr.splitlines()[1].startswith("   try: ")


def test_a_changed_mode_and_a_link_in_its_place_differ(project: Path) -> None:
    (project / "a.txt").chmod(0o755)
    (project / "hello.txt").unlink()
    (project / "hello.txt").symlink_to("a.txt")
    files = json.loads(cli("status", project, "--json").stdout)["files"]
    assert [file["path"] for file in files] == ["a.txt", "hello.txt"]


def test_line_ends_that_git_converts_are_no_difference(project: Path) -> None:
    sh("git", "config", "core.autocrlf", "true", cwd=project)
    (project / "a.txt").write_bytes(b"a\r\nb\r\n")
    assert "no file differs" in cli("status", project).stdout


def test_diff_shows_the_templates_lines_and_mine(project: Path) -> None:
    write(project, {"a.txt": "a\nmine\n", "own.txt": "my own\n"})
    (project / "b/c.txt").unlink()
    done = cli("diff", project)
    assert done.returncode == 0, done.stderr
    assert "-b\n+mine\n" in done.stdout
    assert "deleted file" in done.stdout
    assert "own.txt" not in done.stdout
    assert "p differs from v1.0.0 in 2 files, 1 of them missing" in done.stderr
    # What is printed is a patch: taken back, it makes the project what the template gave.
    (project.parent / "patch").write_text(done.stdout)
    sh("git", "apply", "-R", project.parent / "patch", cwd=project)
    assert "no file differs" in cli("status", project).stdout


def test_diff_with_another_version_shows_what_it_would_bring(project: Path) -> None:
    commit(project.parent / "t", {"a.txt": "a\nb\nnew\n"}, tag="v1.1.0")
    assert cli("diff", project).stdout == ""
    done = cli("diff", project, "--to", "v1.1.0")
    assert "-new\n" in done.stdout
    data = json.loads(cli("diff", project, "--to", "v1.1.0", "--json").stdout)
    assert data == {
        "schema": 1,
        "command": "diff",
        "path": str(project),
        "version": "v1.1.0",
        "files": [{"path": "a.txt", "state": "changed"}],
        "edited": [],
    }


def test_diff_of_binary_and_odd_names_is_no_traceback(tmp_path: Path) -> None:
    files = SMALL | {"ü b.txt": "ü\n", "bin.dat": "x\n"}
    source = template(tmp_path / "t", files)
    assert cli("new", tmp_path / "p", "--template", source).returncode == 0
    (tmp_path / "p/bin.dat").write_bytes(b"\0\xff\xfe")
    (tmp_path / "p/ü b.txt").write_bytes(b"\xff\n")
    argv = f"{sys.executable} -m scaffold diff {tmp_path / 'p'} > {tmp_path / 'patch'}"
    assert run("bash", "-c", argv).returncode == 0
    printed = (tmp_path / "patch").read_bytes()
    assert b"Binary files" in printed
    assert "ü b.txt".encode() in printed
    assert b"+\xff\n" in printed


def test_a_pipe_that_closes_early_is_no_error_message(project: Path) -> None:
    write(project, {"a.txt": "".join(f"{number}\n" for number in range(100_000))})
    script = f"{sys.executable} -m scaffold diff {project} | head -1"
    done = run("bash", "-c", script)
    assert done.stdout.startswith("diff --git")
    assert "Traceback" not in done.stderr


def test_a_project_whose_template_is_a_remote_is_not_cloned_for_its_status(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    url = f"git+file://{source}"
    assert cli("new", tmp_path / "p", "--template", url).returncode == 0
    commit(source, tag="v1.1.0")
    log = tmp_path / "log"
    fake = tmp_path / "bin"
    fake.mkdir()
    real = sh("bash", "-c", "command -v git").strip()
    (fake / "git").write_text(f'#!/bin/sh\necho "$@" >> "{log}"\nexec {real} "$@"\n')
    (fake / "git").chmod(0o755)
    done = cli("status", tmp_path / "p", env={"PATH": f"{fake}:/usr/bin:/bin"})
    assert done.returncode == 5, done.stderr
    assert "clone" not in log.read_text()
    assert "ls-remote" in log.read_text()


def test_a_repository_of_somebody_else_is_said_with_the_cure(project: Path) -> None:
    env = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", **IDENTITY}
    done = cli("status", project, env=env)
    if done.returncode == 0:  # only Git's own test builds honour that variable
        sh("chown", "-R", "12345:12345", project)
        done = cli("status", project, env={"HOME": str(project.parent)})
    assert done.returncode == 4, done.stderr
    assert "safe.directory" in done.stderr


def test_conflicts_that_wait_are_counted_and_update_does_not_call_it_current(project: Path) -> None:
    commit(project, {"a.txt": "mine\nb\n"})
    commit(project.parent / "t", {"a.txt": "theirs\nb\n"}, tag="v1.1.0")
    assert cli("update", project).returncode == 3
    assert "1 conflict to resolve; " in cli("status", project).stdout
    done = cli("update", project)
    assert done.returncode == 1
    assert "unresolved conflicts: a.txt" in done.stderr


def test_an_update_on_top_of_one_that_is_not_committed_is_refused(project: Path) -> None:
    commit(project.parent / "t", {"a.txt": "a\nb\nc\n"}, tag="v1.1.0")
    assert cli("update", project).returncode == 0
    commit(project.parent / "t", {"a.txt": "a\nb\nc\nd\n"}, tag="v1.2.0")
    done = cli("update", project)
    assert done.returncode == 1
    assert "not as committed" in done.stderr
    sh("git", "commit", "-qm", "Update", cwd=project, env=IDENTITY)
    done = cli("undo", project)
    assert "commit that too" in done.stderr
    done = cli("update", project)
    assert done.returncode == 1
    assert "not as committed" in done.stderr
