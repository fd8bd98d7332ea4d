"""What `new` refuses: in one line of cause and one of remedy, and with nothing written."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from tests.support import (
    ROOT,
    SMALL,
    Done,
    cli,
    leftovers,
    run,
    sh,
    template,
    write,
)

ERROR, USAGE, UNSAFE = 1, 2, 4
OURS = ("--defaults", "--ref", "HEAD", "--no-setup")


def refused(done: Done, code: int, *words: str) -> None:
    """It ended with this code and these words, in two lines and without a traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert done.stdout == ""
    assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1
    assert sum(line.startswith("   try: ") for line in done.stderr.splitlines()) == 1


def nothing_written(folder: Path, *known: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(known)


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template"))


def test_a_folder_that_is_not_empty(tmp_path: Path, small: Path) -> None:
    write(tmp_path / "x", {"mine.txt": "mine"})
    refused(cli("new", "x", "--template", small, cwd=tmp_path), ERROR, "x exists and is not empty")
    nothing_written(tmp_path, "x")
    nothing_written(tmp_path / "x", "mine.txt")


def test_a_file_in_the_way(tmp_path: Path, small: Path) -> None:
    (tmp_path / "x").write_text("mine")
    refused(cli("new", "x", "--template", small, cwd=tmp_path), ERROR, "x exists and is a file")
    refused(cli("new", "x/y", "--template", small, cwd=tmp_path), ERROR, "x is a file")
    nothing_written(tmp_path, "x")
    assert (tmp_path / "x").read_text() == "mine"


def test_the_folder_one_stands_in(tmp_path: Path, small: Path) -> None:
    done = cli("new", ".", "--template", small, cwd=tmp_path)
    refused(done, ERROR, "the folder you are in", f"cd .. && mlops-scaffold new {tmp_path.name}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("class", "'class', which is a Python keyword"),
        ("json", "'json' and hide that module of the standard library"),
        ("Fast-API", None),
        ("FastAPI", "'fastapi' like a package the project depends on"),
        ("scikit-learn", "'scikit_learn' like a package the project depends on"),
        ("ops", "'ops' like another part of the repository"),
        ("2fast", "does not make a valid Python package name"),
        ("größe", "does not make a valid Python package name"),
        ("a..b_", "does not make a valid Python package name"),
        ("x" * 61, "does not make a valid Python package name"),
    ],
)
def test_a_name_that_no_package_can_have(tmp_path: Path, name: str, reason: str | None) -> None:
    done = cli("new", name, *OURS, cwd=tmp_path)
    if reason is None:
        assert done.returncode == 0
    else:
        refused(done, USAGE, reason, "--data project_name=")
        nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("port=80", "the port is 80, and must be from 1024 to 65533"),
        ("port=65534", "must be from 1024 to 65533"),
        ("port=many", "'many' to 'port' is no whole number"),
        ("port=", "'' to 'port' is no whole number"),
        ('description=say "no"', "without double quotes"),
        ("description=", "1 to 200 characters"),
        ("team= ", "1 to 80 characters"),
        ("package=mine", "no question 'package'"),
        ("prot=8001", "no question 'prot'"),
        ("_src_path=elsewhere", "no question '_src_path'"),
        ("port", "is no KEY=VALUE"),
    ],
)
def test_an_answer_that_does_not_fit(tmp_path: Path, answer: str, reason: str) -> None:
    done = cli("new", "x-model", *OURS, "--data", answer, cwd=tmp_path)
    refused(done, USAGE, reason)
    nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a\n- b\n", "no mapping"),
        ("just words", "no mapping"),
        ("", "no mapping"),
        ("1: 2", "no mapping"),
        ("a: [", "no YAML"),
        ("size: [1, 2]", "'size' is no whole number"),
        ("size: true", "'size' is no whole number"),
        ("project_name: {a: b}", "'project_name' is no text"),
        ("project_name:", "'project_name' is no text"),
        ("colour: red", "no question 'colour'"),
    ],
)
def test_a_data_file_that_does_not_fit(tmp_path: Path, small: Path, text: str, reason: str) -> None:
    (tmp_path / "data.yml").write_text(text)
    options = ("--template", small, "--data-file", "data.yml")
    refused(cli("new", "x", *options, cwd=tmp_path), USAGE, reason)
    nothing_written(tmp_path, "data.yml")


def test_a_data_file_that_is_missing(tmp_path: Path, small: Path) -> None:
    options = ("--template", small, "--data-file", "nowhere.yml")
    refused(cli("new", "x", *options, cwd=tmp_path), USAGE, "nowhere.yml cannot be read")


def test_a_template_that_cannot_be_reached(tmp_path: Path) -> None:
    for url in ("https://127.0.0.1:1/a/b.git", "git+file:///no/such/repository", "no/such/folder"):
        refused(cli("new", "x", "--template", url, cwd=tmp_path), ERROR, "cannot be reached")
    nothing_written(tmp_path)


def test_a_template_url_with_a_password_which_the_answers_file_would_keep(tmp_path: Path) -> None:
    done = cli("new", "x", "--template", "https://me:secret@127.0.0.1:1/b.git", cwd=tmp_path)
    refused(done, UNSAFE, "credential helper")
    assert "secret" not in done.stderr
    nothing_written(tmp_path)


def test_a_version_that_the_template_does_not_have(tmp_path: Path, small: Path) -> None:
    done = cli("new", "x", "--template", small, "--ref", "v2.0.0", cwd=tmp_path)
    refused(done, USAGE, "'v2.0.0'", "v1.0.0")
    done = cli("new", "x", "--template", small, "--ref", "--upload-pack=x", cwd=tmp_path)
    assert done.returncode == USAGE
    nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"cookiecutter.json": "{}", "a.txt": "a"}, "is a template of cookiecutter"),
        ({"copier.yml": "a: [\n"}, "copier.yml is broken"),
        ({"copier.yml": "- a\n- b\n"}, "copier.yml is broken"),
        (SMALL | {"bad.jinja": "{{ nothing_there.at_all }}"}, "cannot be rendered"),
        (SMALL | {"bad.jinja": "{% if %}"}, "cannot be rendered"),
        (SMALL | {"copier.yml": "_min_copier_version: '99.0'\na: 1\n"}, "cannot be rendered"),
        (SMALL | {"copier.yml": "a:\n  type: colour\n  default: 1\n"}, "cannot be rendered"),
        ({"copier.yml": "_subdirectory: none\n", "a": "b"}, "cannot be rendered"),
    ],
)
def test_what_is_no_template(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    source = template(tmp_path / "t", files)
    refused(cli("new", "x", "--template", source, cwd=tmp_path), ERROR, reason)
    nothing_written(tmp_path, "t")


def test_a_plain_folder_and_a_plain_file_are_no_templates(tmp_path: Path) -> None:
    write(tmp_path / "t", SMALL)
    refused(cli("new", "x", "--template", "t", cwd=tmp_path), ERROR, "not a Git repository")
    refused(cli("new", "x", "--template", "t/copier.yml", cwd=tmp_path), ERROR, "no Git bundle")
    nothing_written(tmp_path, "t")


def test_a_template_with_code_of_its_own(tmp_path: Path) -> None:
    files = SMALL | {"copier.yml": SMALL["copier.yml"] + "_jinja_extensions: [os.system]\n"}
    source = template(tmp_path / "t", files)
    refused(cli("new", "x", "--template", source, cwd=tmp_path), UNSAFE, "jinja_extensions")
    nothing_written(tmp_path, "t")


def test_no_terminal_and_a_question_without_an_answer(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SMALL | {"copier.yml": "region:\n  type: str\n"})
    for options in ((), ("--defaults",)):
        done = cli("new", "x", "--template", source, *options, cwd=tmp_path)
        refused(done, USAGE, "'region' has no answer", "--data region=")
    done = cli("new", "x", "--template", source, "-d", "region=here", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_git_that_is_missing_or_too_old(tmp_path: Path, small: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    python = {"PATH": str(tools), "PYTHONPATH": os.pathsep.join(sys.path)}
    (tmp_path / "w").mkdir()
    done = cli("new", "x", "--template", small, cwd=tmp_path / "w", env=python)
    refused(done, ERROR, "git is not installed", "apt install git")
    old = tools / "git"
    old.write_text("#!/bin/sh\necho git version 2.25.1\n")
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    done = cli("new", "x", "--template", small, cwd=tmp_path / "w", env=python)
    refused(done, ERROR, "git 2.25 is too old", "2.32")
    nothing_written(tmp_path / "w")


def test_uv_that_is_missing_where_it_is_needed(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    git = Path(sh("sh", "-c", "command -v git").strip())
    (tools / "git").symlink_to(git)
    (tmp_path / "w").mkdir()
    # Another interpreter's folder of scripts, in which there is no uv either.
    blind = "import sysconfig; sysconfig.get_path = lambda name: '/nowhere'"
    start = f"{blind}; import sys; sys.argv[0] = 'x'; from scaffold.__main__ import main; main()"
    env = {"PATH": str(tools), "PYTHONPATH": str(ROOT)}
    done = run(
        sys.executable, "-c", start, "new", "x", "--ref", "HEAD", cwd=tmp_path / "w", env=env
    )
    refused(done, ERROR, "uv is not installed", "pip install uv")
    nothing_written(tmp_path / "w")


def test_a_folder_one_may_not_write_in(tmp_path: Path, small: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o555)
    done = cli("new", "closed/x", "--template", small, cwd=tmp_path)
    refused(done, ERROR, "you may not write in")


def test_a_refusal_leaves_no_missing_parent_behind(tmp_path: Path, small: Path) -> None:
    done = cli("new", "a/b/c", "--template", small, "-d", "colour=red", cwd=tmp_path)
    refused(done, USAGE, "no question 'colour'")
    nothing_written(tmp_path)


def test_an_unexpected_error_is_one_line_and_the_details_are_one_variable_away(
    tmp_path: Path,
) -> None:
    # A repository that has lost what its tag names: nobody foresees that one.
    source = template(tmp_path / "t")
    shutil.rmtree(source / ".git/objects")
    (source / ".git/objects").mkdir()
    done = cli("new", "x", "--template", source, cwd=tmp_path)
    refused(done, ERROR)
    assert leftovers(tmp_path) == []
