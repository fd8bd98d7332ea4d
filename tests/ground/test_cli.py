"""The command line itself: help, usage, exit codes, and what it imports."""

import re
import sys
from pathlib import Path

import pytest

from tests.support import cli, run, template

HEAVY = ("copier", "questionary", "prompt_toolkit", "jinja2", "yaml", "rich", "pydantic", "plumbum")


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("new", "--help"), ("--version",), ()])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    done = run(sys.executable, "-X", "importtime", "-m", "scaffold", *words)
    assert done.returncode == (0 if words else 2)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    # typer checks the options of a command with pydantic.
    allowed = {"pydantic"} if words[:1] == ("new",) else set()
    assert imported.intersection(HEAVY) <= allowed


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert cli("--version").stdout == f"{version('mlops-scaffold')}\n"


@pytest.mark.parametrize(
    "words", [("new",), ("nwe", "x"), ("new", "x", "--colour"), ("new", "x", "y")]
)
def test_wrong_usage_exits_with_2(words: tuple[str, ...]) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Usage" in done.stderr


def test_every_option_of_new_is_explained() -> None:
    text = cli("new", "--help").stdout
    for option in ("--template", "--ref", "--defaults", "--data", "--data-file", "--no-setup"):
        assert re.search(rf"{option}\b.* \w", text)


def test_results_go_to_stdout_and_everything_else_to_stderr(tmp_path: Path) -> None:
    done = cli("new", "x", "--template", template(tmp_path / "t"), cwd=tmp_path)
    assert " ".join(done.stdout.split()) == "x is ready. Next: cd x git show --stat"
    assert "render" in done.stderr
    assert "\x1b" not in done.stderr


def test_closed_streams_are_no_terminal(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    closed = f'"{sys.executable}" -m scaffold new x --template "{source}" <&- >&- 2>&-'
    done = run("sh", "-c", closed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x/hello.txt").exists()


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    pipe = f'"{sys.executable}" -m scaffold new x --template "{source}" | true'
    done = run("sh", "-c", pipe, cwd=tmp_path)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert (tmp_path / "x/hello.txt").exists()
