"""What `mlops-scaffold new` leaves behind when all goes well."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.support import ROOT, SMALL, clean_environment, cli, run, sh, template

CANONICAL = "https://github.com/mlops-scaffold/mlops-scaffold.git"
QUICK = ("--defaults", "--ref", "HEAD", "--no-setup")


def test_a_new_project_is_locked_installed_hooked_and_committed(project: Path) -> None:
    assert sh("git", "status", "--porcelain", cwd=project) == ""
    assert sh("git", "branch", "--show-current", cwd=project).strip() == "main"
    assert sh("git", "rev-list", "--count", "HEAD", cwd=project).strip() == "1"
    assert "uv.lock" in sh("git", "ls-files", cwd=project).splitlines()
    assert (project / ".venv/bin/python").exists()
    assert "pre-commit" in (project / ".git/hooks/pre-commit").read_text()
    assert sh("uv", "lock", "--check", "--offline", "-q", cwd=project) == ""


def test_the_answers_file_names_the_canonical_url_and_a_version(project: Path) -> None:
    text = (project / ".copier-answers.yml").read_text()
    answers = yaml.safe_load(text)
    assert answers["_src_path"] == CANONICAL
    assert re.fullmatch(r"v\d+\.\d+\.\d+.*-\d+-g[0-9a-f]+", answers["_commit"])
    assert answers["project_name"] == "churn-model"
    assert "package" not in answers
    assert str(project.parent) not in text


def test_nothing_in_a_new_project_names_a_place_on_this_machine(tmp_path: Path) -> None:
    home = str(tmp_path.with_name("somebodys-home"))
    assert cli("new", tmp_path / "churn-model", *QUICK, env={"HOME": home}).returncode == 0
    for path in (tmp_path / "churn-model").rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert str(tmp_path) not in text, path
            assert home not in text, path


def test_the_end_names_the_next_three_commands(tmp_path: Path) -> None:
    done = cli("new", "churn model", *QUICK, cwd=tmp_path)
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert lines == ["cd 'churn model'", "make ship", "make status"]


def test_each_step_is_shown_with_its_time(tmp_path: Path) -> None:
    done = cli("new", "x", "--template", template(tmp_path / "t"), cwd=tmp_path)
    assert re.search(r"^  render +\d+\.\d s$", done.stderr, re.MULTILINE)
    assert re.search(r"^  git commit +\d+\.\d s$", done.stderr, re.MULTILINE)


def test_the_folder_name_is_the_default_name_and_data_overrides_it(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    assert cli("new", "one", "--template", source, cwd=tmp_path).returncode == 0
    options = ("-d", "project_name=two", "--data", "size=7")
    assert cli("new", "other", "--template", source, *options, cwd=tmp_path).returncode == 0
    assert (tmp_path / "one/hello.txt").read_text() == "one 3\n"
    assert (tmp_path / "other/hello.txt").read_text() == "two 7\n"


def test_a_data_file_answers_and_a_pair_wins_over_it(tmp_path: Path) -> None:
    (tmp_path / "data.yml").write_text("size: 5\nproject_name: from-file\n_commit: v9\n")
    options = ("--template", template(tmp_path / "t"), "--data-file", "data.yml", "-d", "size=6")
    assert cli("new", "x", *options, cwd=tmp_path).returncode == 0
    assert (tmp_path / "x/hello.txt").read_text() == "from-file 6\n"
    assert "_commit: v1.0.0" in (tmp_path / "x/.copier-answers.yml").read_text()


def test_a_project_can_go_into_an_empty_folder_and_below_missing_ones(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    (tmp_path / "empty").mkdir()
    assert cli("new", "empty", "--template", source, cwd=tmp_path).returncode == 0
    assert cli("new", "a/b/c", "--template", source, cwd=tmp_path).returncode == 0
    assert (tmp_path / "empty/hello.txt").exists()
    assert (tmp_path / "a/b/c/hello.txt").exists()


def test_copier_alone_and_without_trust_makes_the_same_files(tmp_path: Path) -> None:
    assert cli("new", tmp_path / "ours/churn-model", *QUICK, "-d", "port=9001").returncode == 0
    source = tmp_path / "source"
    shutil.copytree(ROOT / "template", source / "template")
    shutil.copy(ROOT / "copier.yml", source)
    options = ("--defaults", "-q", "-d", "port=9001")
    sh("copier", "copy", *options, source, tmp_path / "plain/churn-model")
    assert _files(tmp_path / "ours/churn-model") == _files(tmp_path / "plain/churn-model")


def _files(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Content and executable bit by name; the answers file differs by where it came from."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), os.access(path, os.X_OK))
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts and path.name != ".copier-answers.yml"
    }


def test_another_template_is_rendered_and_nothing_of_it_is_run(tmp_path: Path) -> None:
    files = SMALL | {
        "copier.yml": SMALL["copier.yml"] + f"_tasks: ['touch {tmp_path}/ran']\n",
        "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n",
        ".pre-commit-config.yaml": "repos: []\n",
    }
    done = cli("new", "x", "--template", template(tmp_path / "t", files), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"touch {tmp_path}/ran" in done.stderr.partition("Not run")[2]
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "x/.venv").exists()
    assert not (tmp_path / "x/.git/hooks/pre-commit").exists()


def test_without_git_there_are_only_files(tmp_path: Path) -> None:
    options = ("--template", template(tmp_path / "t"), "--no-git")
    assert cli("new", "x", *options, cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == [
        ".copier-answers.yml",
        "hello.txt",
    ]


def test_two_projects_side_by_side_get_ports_of_their_own(tmp_path: Path) -> None:
    for name in ("first-one", "second-one"):
        assert cli("new", name, *QUICK, cwd=tmp_path).returncode == 0
    ports = [
        yaml.safe_load((tmp_path / name / ".copier-answers.yml").read_text())["port"]
        for name in ("first-one", "second-one")
    ]
    assert abs(ports[0] - ports[1]) >= 3


def test_on_a_terminal_the_questions_are_asked_and_the_answers_taken(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    over_the_default = b"\x15typed-name\r"
    script = [(b"project_name", over_the_default), (b"size", b"\r")]
    output = on_a_terminal("new", "x", "--template", str(source), script=script, cwd=tmp_path)
    assert (tmp_path / "x/hello.txt").read_text() == "typed-name 3\n", output


def test_ctrl_c_at_a_question_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    argv = ("new", "x", "--template", str(source))
    output = on_a_terminal(*argv, script=[(b"project_name", b"\x03")], cwd=tmp_path, code=130)
    assert b"Traceback" not in output
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def on_a_terminal(*argv: str, script: list[tuple[bytes, bytes]], cwd: Path, code: int = 0) -> bytes:
    """Run our command in a pseudo terminal; answer each prompt, as it shows up, with its keys."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "scaffold", *argv]
    process = subprocess.Popen(
        command, cwd=cwd, env=clean_environment(), stdin=child, stdout=child, stderr=child
    )
    os.close(child)
    seen = b""
    while process.poll() is None:
        if not select.select([parent], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(parent, 65536)
        except OSError:  # the last reader is gone: the command has ended
            break
        seen += data
        if b"\x1b[6n" in data:  # the prompt asks where the cursor is
            os.write(parent, b"\x1b[1;1R")
        if script and script[0][0] in seen:
            os.write(parent, script.pop(0)[1])
    assert process.wait(timeout=60) == code, seen
    os.close(parent)
    return seen


def test_without_a_git_identity_the_first_commit_is_by_a_neutral_name(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path / "home"), "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": ""}
    done = cli("new", "x", "--template", template(tmp_path / "t"), cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert "git config --global user.name" in done.stderr
    log = run("git", "log", "--format=%an <%ae> %cn", cwd=tmp_path / "x").stdout.strip()
    assert log == "mlops-scaffold <mlops-scaffold@localhost> mlops-scaffold"
    assert run("git", "config", "--local", "user.name", cwd=tmp_path / "x").returncode == 1


def test_personal_git_settings_do_not_break_the_first_commit(tmp_path: Path) -> None:
    home = tmp_path / "home"
    hooks = home / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (home / "ignore").write_text("*.txt\n*.csv\nuv.lock\n")
    (home / ".gitconfig").write_text(
        f"[user]\nname = A\nemail = a@b\nsigningkey = nobody\n[commit]\ngpgsign = true\n"
        f"template = {home}/missing\n[core]\nhooksPath = {hooks}\nexcludesFile = {home}/ignore\n"
        f"autocrlf = true\nsafecrlf = true\n[init]\ntemplateDir = {home}/missing\n"
        "defaultBranch = trunk\n[gpg]\nprogram = false\n"
        '[url "https://nowhere.invalid/"]\ninsteadOf = https://github.com/\n'
        "[protocol]\nallow = never\n"
    )
    env = {"HOME": str(home), "XDG_CONFIG_HOME": ""}
    done = cli("new", "churn-model", *QUICK, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "churn-model"
    tracked = run("git", "ls-files", cwd=made).stdout.splitlines()
    files = [p for p in made.rglob("*") if p.is_file() and ".git" not in p.relative_to(made).parts]
    assert sorted(tracked) == sorted(str(path.relative_to(made)) for path in files)
    assert sh("git", "branch", "--show-current", cwd=made).strip() == "main"
    assert run("git", "status", "--porcelain", cwd=made, env=env).stdout == ""


def test_a_git_that_calls_us_does_not_lend_us_its_repository(tmp_path: Path) -> None:
    other = template(tmp_path / "other")
    env = {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git/index"),
    }
    before = sh("git", "rev-parse", "HEAD", cwd=other)
    source = template(tmp_path / "t")
    done = cli("new", "x", "--template", source, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert sh("git", "rev-parse", "HEAD", cwd=other) == before
    assert sh("git", "rev-list", "--count", "HEAD", cwd=tmp_path / "x").strip() == "1"


def test_after_plain_copier_make_setup_does_the_rest(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "template", source / "template")
    shutil.copy(ROOT / "copier.yml", source)
    made = tmp_path / "churn-model"
    sh("copier", "copy", "--defaults", "-q", source, made)
    sh("make", "setup", cwd=made)
    assert (made / ".venv/bin/python").exists()
    assert (made / "uv.lock").exists()
    assert (made / ".git/hooks/pre-commit").exists()


def test_in_a_fresh_clone_make_setup_does_the_rest(project: Path, tmp_path: Path) -> None:
    made = tmp_path / "churn-model"
    sh("git", "clone", "-q", project, made)
    sh("make", "setup", cwd=made)
    assert (made / ".venv/bin/python").exists()
    assert (made / ".git/hooks/pre-commit").exists()
    assert sh("git", "status", "--porcelain", cwd=made) == ""
