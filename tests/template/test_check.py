"""`make check` runs hooks and tests beside each other; `ship` repeats nothing that passed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run, sh, write
from tests.template.conftest import python

FAILS = "def test_that_fails() -> None:\n    assert not 'on purpose'\n"


@pytest.fixture
def small(fresh_project: Path) -> Path:
    """A project whose checks take a second: one hook and one test."""
    hook = "{id: fine, name: fine, entry: 'true', language: system, always_run: true}"
    config = f"repos:\n  - repo: local\n    hooks:\n      - {hook}\n"
    test = "def test_that_passes() -> None:\n    assert True\n"
    return write(fresh_project, {".pre-commit-config.yaml": config, "tests/test_model.py": test})


def passed(project: Path) -> bool:
    """Whether `ship` would reuse a check."""
    said = sh(python(project), "-c", "from ops import check; print(check.passed())", cwd=project)
    return said == "True\n"


def test_a_check_counts_for_exactly_the_files_that_it_saw(small: Path) -> None:
    assert not passed(small)
    done = run("make", "check", cwd=small)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fine" in done.stdout and "1 passed" in done.stdout
    assert passed(small)
    write(small, {".venv/ignored.txt": "", ".state/notes.txt": ""})
    assert passed(small)
    for name in ("src/churn_model/train.py", "uv.lock", "pyproject.toml", "notes.md"):
        path = small / name
        before = path.read_text() if path.exists() else None
        path.write_text((before or "") + "\n")
        assert not passed(small), name
        path.write_text(before) if before is not None else path.unlink()
        assert passed(small), name
    (small / "tests/acceptance/test_acceptance.py").unlink()
    assert not passed(small)


def test_a_check_that_failed_is_never_reused_and_stops_a_ship_before_anything_is_built(
    small: Path,
) -> None:
    assert run("make", "check", cwd=small).returncode == 0
    write(small, {"tests/test_model.py": FAILS})
    failed = run("make", "check", cwd=small)
    assert failed.returncode == 2
    assert "test_that_fails" in failed.stdout
    assert "error: check failed, see above" in failed.stderr
    assert not passed(small)
    sh("git", "add", "-A", cwd=small)
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    sh("git", *who, "commit", "-q", "--no-verify", "-m", "Fails", cwd=small)
    shipped = run("make", "ship", cwd=small)
    assert shipped.returncode == 2
    assert "test_that_fails" in shipped.stdout
    table = shipped.stdout.partition("STEP ")[2].splitlines()[1:]
    assert [line.split()[:2] for line in table] == [
        ["train", "ok"],
        ["gate", "ok"],
        ["check", "failed"],
    ]
    assert not (small / ".state/releases").exists()


def test_every_program_of_the_pipeline_keeps_what_it_compiled(small: Path) -> None:
    write(
        small,
        {
            "tests/test_model.py": "import sys\n\n\ndef test() -> None:\n    assert not "
            "sys.dont_write_bytecode\n"
        },
    )
    done = run("make", "check", cwd=small, env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
