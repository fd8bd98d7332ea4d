"""How critical a model is can be answered otherwise later, and no edit is lost."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support import IDENTITY, ROOT, checkout, commit, sh
from tests.warm import cli

DOCUMENT = ROOT / "docs" / "criticality.md"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it stands, as if it had been released."""
    folder = checkout(tmp_path_factory.mktemp("released"))
    sh("git", "tag", "v99.0.0", cwd=folder)
    return folder


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    """A project of an internal model, as it comes."""
    made = tmp_path / "churn-model"
    done = cli("new", made, "--template", released, "--defaults", "--no-setup", "-d", "port=8101")
    assert done.returncode == 0, done.stderr
    return made


def answer(project: Path, released: Path, criticality: str) -> None:
    words = ("--defaults", "--data", f"criticality={criticality}", "--template", released)
    done = cli("update", project, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    commit(project)


def settings(project: Path) -> tuple[dict[str, object], dict[str, object]]:
    """What production asks for, and the gate."""
    production = tomllib.loads((project / "ops/environments.toml").read_text())["production"]
    gate = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["mlops"]["gate"]
    return production, gate


def test_an_edited_project_becomes_mission_critical_and_keeps_what_was_edited(
    project: Path, released: Path
) -> None:
    edits = {
        "ops/environments.toml": ("latency_ms = 250", "latency_ms = 40 "),
        "pyproject.toml": ("expires_after_days = 90", "expires_after_days = 30"),
        "src/churn_model/train.py": ("LogisticRegression(", "LogisticRegression(C=0.5, "),
        "docs/runbook.md": ("## A deploy failed", "Call the platform team.\n\n## A deploy failed"),
    }
    for name, (old, new) in edits.items():
        text = (project / name).read_text()
        assert text.count(old) >= 1, name
        (project / name).write_text(text.replace(old, new))
    commit(project, {"notes.md": "Ours.\n"})
    answer(project, released, "mission-critical")
    production, gate = settings(project)
    assert (production["approval"], production["canary"]) == (True, [10, 50])
    assert production["replicas"] == 3
    assert gate["margin"] == 0.02 and gate["min_slice_skill"] == 0.2
    assert "reviewers" in (project / "CODEOWNERS").read_text()
    assert "at any hour" in (project / "docs/runbook.md").read_text()
    assert "workflow_dispatch" in (project / ".github/workflows/deploy.yml").read_text()
    for name, (_, new) in edits.items():
        assert new in (project / name).read_text(), name
    assert (project / "notes.md").read_text() == "Ours.\n"


def test_there_and_back_is_where_it_was(project: Path, released: Path) -> None:
    before = sh("git", "rev-parse", "HEAD^{tree}", cwd=project)
    answer(project, released, "mission-critical")
    assert sh("git", "rev-parse", "HEAD^{tree}", cwd=project) != before
    answer(project, released, "internal")
    assert sh("git", "rev-parse", "HEAD^{tree}", cwd=project) == before


def test_plain_copier_does_the_same(project: Path, released: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    sh("git", "clone", "-q", project, twin)
    answer(project, released, "mission-critical")
    words = ("--defaults", "--quiet", "--data", "criticality=mission-critical")
    sh("copier", "update", *words, cwd=twin, env=IDENTITY)
    sh("git", "add", "-A", cwd=twin)
    assert sh("git", "write-tree", cwd=twin) == sh("git", "write-tree", cwd=project)


def test_the_page_says_what_the_template_does() -> None:
    question = yaml.safe_load((ROOT / "copier.yml").read_text())["care"]["default"]
    branches = [yaml.safe_load(text) for text in re.findall(r"\{approval.*?\}", question, re.S)]
    critical, internal = branches
    page = DOCUMENT.read_text()
    for key, words in {
        "replicas": "processes or pods of a release in production",
        "min_skill": "skill on the golden dataset",
        "min_slice_skill": "skill on the worst slice",
        "margin": "skill that may be lost against the champion",
        "slice_margin": "the same on a slice",
        "hours": "on call",
        "recovery": "works again within",
    }.items():
        assert f"| {words} | {internal[key]} | {critical[key]} |" in page, words
    assert "| 10 -> 50 -> 100 % |" in page and critical["canary"] == [10, 50]
    assert (internal["approval"], critical["approval"]) == (False, True)
