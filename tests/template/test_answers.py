"""Every combination of answers gives a repository that is whole, small and checks itself."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.answers import Answers, choices, factors, name_of, pairs
from tests.support import IDENTITY, cli, run, sh

NOT_COUNTED = ("uv.lock", "data/golden.csv")
FILES = 55
LINES = {"local": 6440, "kubernetes": 6200}  # as `wc -l` counts them
# What only one answer needs; everything else is for all of them.
ONLY = {
    ("ci", "github"): (".github/",),
    ("ci", "gitlab"): (".gitlab-ci.yml",),
    ("target", "local"): tuple(
        f"ops/{name}.py" for name in ("client", "container", "envoy", "keep", "supervisor")
    ),
    ("target", "kubernetes"): ("ops/kubernetes/",),
}


def generate(path: Path, answers: Answers) -> Path:
    words = [word for name, value in answers.items() for word in ("-d", f"{name}={value}")]
    done = cli("new", path, "--defaults", "--ref", "HEAD", "--no-setup", *words)
    assert done.returncode == 0, done.stderr
    return path


def emitted(project: Path) -> dict[str, str]:
    """The text of every file that counts."""
    names = sh("git", "-c", "core.quotepath=off", "ls-files", cwd=project).splitlines()
    return {n: (project / n).read_text("utf-8") for n in names if n not in NOT_COUNTED}


@pytest.mark.parametrize("answers", choices(), ids=name_of)
def test_every_combination_is_small_and_whole(answers: Answers, tmp_path: Path) -> None:
    files = emitted(generate(tmp_path / "churn-model", answers))
    assert len(files) <= FILES, sorted(files)
    assert sum(text.count("\n") for text in files.values()) <= LINES[answers["target"]]
    for name, text in files.items():
        assert text.strip(), f"{name} is empty"
        assert "\n\n\n\n" not in text and not text.startswith("\n"), name
        assert name.endswith((".py", ".md")) or "\n\n\n" not in text, name
        assert text.endswith("\n") and not text.endswith("\n\n"), name
        assert "TODO" not in text and not re.search(r"(?<!\$)\{\{|\{%", text), name
    has_just_the_files_that_it_needs(answers, files)


def has_just_the_files_that_it_needs(answers: Answers, files: dict[str, str]) -> None:
    for (question, answer), prefixes in ONLY.items():
        for prefix in prefixes:
            there = any(name.startswith(prefix) for name in files)
            assert there == (answers[question] == answer), prefix
    # Each module of the pipeline is imported by another one, or is the entry.
    for name in (n for n in files if re.fullmatch(r"ops/[a-z]+\.py", n)):
        module = Path(name).stem
        used = rf"(?m)^from \.{module} import|^from \. import .*\b{module}\b"
        others = (text for other, text in files.items() if other != name)
        started = f'"{module}.py"'  # or runs it
        assert any(re.search(used, text) or started in text for text in others), name


@pytest.mark.parametrize("answers", pairs()[1:], ids=name_of)  # test_ship checks the defaults
def test_every_pair_of_answers_passes_its_own_check(
    answers: Answers, project: Path, shared: Path, tmp_path: Path
) -> None:
    made = generate(tmp_path / "a project", answers)
    lock = (project / "uv.lock").read_text()
    normalized = re.sub(r"[-_.]+", "-", answers["project_name"]).lower()
    (made / "uv.lock").write_text(lock.replace('name = "churn-model"', f'name = "{normalized}"'))
    sh("git", "add", "uv.lock", cwd=made)
    sh("git", "commit", "-q", "-m", "Lock", cwd=made, env=IDENTITY)
    # One environment for all, so that the type checker remembers the libraries.
    env = {"UV_OFFLINE": "1", "UV_PROJECT_ENVIRONMENT": str(shared / "environment of answers")}
    env["MYPY_CACHE_DIR"] = str(shared / "types of answers")
    done = run("make", "check", cwd=made, env=env, seconds=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sh("git", "status", "--porcelain", cwd=made) == ""


def test_the_pairs_are_all_pairs() -> None:
    tried, chosen = factors(), pairs()
    assert chosen[0]["project_name"] == "churn-model"
    assert len(chosen) < 12
    for one, other in ((a, b) for a in tried for b in tried if a < b):
        for value in tried[one]:
            for partner in tried[other]:
                assert any(c[one] == value and c[other] == partner for c in chosen)
