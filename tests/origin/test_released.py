"""A project of any released version of the template comes to the newest, by plain copier too."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.origin import bundle
from tests.support import IDENTITY, ROOT, commit, run, sh
from tests.template import makeityours
from tests.template.conftest import python
from tests.warm import cli

NEXT = "v99.0.0"  # the work tree, as if it had been released
TABLE = ("data/golden.csv", "src/churn_model/data.py")
GIVEN = ("project_name=churn-model", "team=fraud", "port=8101")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A repository with every release and with the work tree, and the releases' tags."""
    folder = tmp_path_factory.mktemp("template")
    history = folder / "history.git"
    releases = bundle.build_history(ROOT, history)
    sh("git", f"--git-dir={history}", "tag", NEXT, bundle.add_work_tree(ROOT, history))
    sh("git", "clone", "-q", history, folder / "template")
    return folder / "template", [release.tag for release in releases]


def made(folder: Path, template: Path, tag: str) -> Path:
    words = [word for answer in GIVEN for word in ("--data", answer)]
    where = ("--template", template, "--ref", tag, "--no-setup", "--defaults")
    done = cli("new", folder, *where, *words)
    assert done.returncode == 0, done.stderr
    return folder


def tree(project: Path) -> str:
    """Everything but the table and the rows drawn from it, which no update touches."""
    sh("git", "add", "-A", cwd=project)
    sh("git", "rm", "-q", "--cached", *TABLE, cwd=project)
    return sh("git", "write-tree", cwd=project)


def test_an_untouched_project_of_each_release_becomes_what_new_makes_today(
    template: tuple[Path, list[str]], tmp_path: Path
) -> None:
    source, tags = template
    today = tree(made(tmp_path / "today", source, NEXT))
    assert "v0.1.0" in tags
    for tag in tags:
        project = made(tmp_path / tag, source, tag)
        twin = tmp_path / f"{tag}-by-copier"
        sh("git", "clone", "-q", project, twin)
        before = [(project / name).read_text() for name in TABLE]
        done = cli("update", project, "--template", source, "--defaults")
        assert done.returncode == 0, done.stdout + done.stderr
        assert tree(project) == today, sh("git", "status", "--short", cwd=project)
        sh("copier", "update", "--defaults", "--quiet", cwd=twin, env=IDENTITY)
        assert tree(twin) == today, sh("git", "status", "--short", cwd=twin)
        for one in (project, twin):
            assert [(one / name).read_text() for name in TABLE] == before


@pytest.mark.parametrize("release", ["v0.1.0", "v0.2.0", "v0.3.0"])
def test_an_edited_project_of_an_earlier_release_keeps_its_edits(
    template: tuple[Path, list[str]], tmp_path: Path, release: str
) -> None:
    source, _ = template
    project = made(tmp_path / "churn-model", source, release)
    edits = {
        "src/churn_model/data.py": ("1, 60)", "2, 60)"),
        "ops/environments.toml": ("latency_ms = 250", "latency_ms = 400"),
        "src/churn_model/train.py": ("LogisticRegression(", "LogisticRegression(C=0.5, "),
        "pyproject.toml": ("expires_after_days = 90", "expires_after_days = 30"),
    }
    for name, (old, new) in edits.items():
        text = (project / name).read_text()
        assert text.count(old) == 1, name
        (project / name).write_text(text.replace(old, new))
    (project / "docs/model-card.md").unlink()
    commit(project, {"notes.md": "Ours.\n"})
    done = cli("update", project, "--template", source, "--defaults")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, (_, new) in edits.items():
        assert new in (project / name).read_text(), name
    assert (project / "notes.md").read_text() == "Ours.\n"
    assert not (project / "docs/model-card.md").exists()
    assert (project / "Dockerfile").exists()


@pytest.mark.parametrize("release", ["v0.1.0", "v0.2.0", "v0.3.0"])
def test_a_project_that_made_a_release_its_own_goes_on_after_the_update(
    template: tuple[Path, list[str]], project: Path, tmp_path: Path, release: str
) -> None:
    source, _ = template
    mine = made(tmp_path / "churn-model", source, release)
    makeityours.apply(mine)  # as that release's own page says
    commit(mine, {"data/golden.csv": "its own rows\n"})
    done = cli("update", mine, "--template", source, "--defaults")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (mine / "data/golden.csv").read_text() == "its own rows\n"
    env = {"PYTHONPATH": str(mine / "src")}
    for step in ("golden", "train", "gate"):
        done = run(python(project), "-m", f"churn_model.{step}", cwd=mine, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "mean absolute error" in done.stdout
