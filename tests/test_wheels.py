"""The built-in template across releases of this package: a newer wheel updates an older project.

The wheels are built from one history without a single tag; a project never sees a checkout.
"""

import json
import sys
from pathlib import Path

import pytest
import yaml

from tests.origin.test_source import offline
from tests.support import IDENTITY, checkout, commit, run, sh

NAMES = ("0.7.0", "0.8.0")


def release(folder: Path, version: str, files: dict[str, str]) -> None:
    """Commit a release, and the beginning of the next."""
    text = (folder / "pyproject.toml").read_text()
    line = next(line for line in text.splitlines() if line.startswith("version = "))
    changes = (folder / "CHANGELOG.md").read_text()
    news = changes.replace("## ", f"## {version}\n\n- News of {version}.\n\n## ", 1)
    released = text.replace(line, f'version = "{version}"')
    commit(folder, {"pyproject.toml": released, "CHANGELOG.md": news, **files})


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The installed programs of two releases; the second comes by way of an sdist without Git."""
    base = tmp_path_factory.mktemp("wheels")
    source = checkout(base / "source")
    makefile = (source / "template/Makefile").read_text()
    found = {}
    for number, version in enumerate(NAMES):
        changes = {"template/Makefile": makefile + f"\n# As of {version}.\n"} if number else {}
        release(source, version, changes)
        out = base / f"dist-{version}"
        kinds = () if number else ("--wheel",)
        sh("uv", "build", "-q", *kinds, "--out-dir", out, source)
        venv = base / f"venv-{version}"
        sh("uv", "venv", "-q", "--python", sys.executable, venv)
        (wheel,) = out.glob("*.whl")
        sh("uv", "pip", "install", "-q", "--python", venv / "bin/python", wheel)
        found[version] = venv / "bin/mlops-scaffold"
    return found


@pytest.fixture
def project(wheels: dict[str, Path], tmp_path: Path) -> Path:
    """A project made by the older wheel and edited since."""
    made = tmp_path / "churn-model"
    done = run(wheels["0.7.0"], "new", made, "--defaults", "--no-setup")
    assert done.returncode == 0, done.stderr
    readme = (made / "README.md").read_text()
    commit(made, {"README.md": f"{readme}\nOurs.\n", "notes.md": "ours\n"})
    return made


def test_an_older_project_updates_under_a_newer_wheel_offline(
    wheels: dict[str, Path], project: Path
) -> None:
    done = offline(wheels["0.8.0"], "status", cwd=project)
    assert done.returncode == 5, done.stderr
    assert "template v0.7.0, newest v0.8.0, 1 release behind" in done.stdout
    done = offline(wheels["0.8.0"], "update", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["template"]["to"] == "v0.8.0"
    assert "- News of 0.8.0." in data["changelog"]
    assert "0.7.0" not in data["changelog"]
    assert (project / "Makefile").read_text().endswith("# As of 0.8.0.\n")
    assert (project / "README.md").read_text().endswith("\nOurs.\n")
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert recorded["_commit"] == "v0.8.0"
    assert recorded["_src_path"].startswith("https://")
    sh("git", "commit", "-qm", "Update", cwd=project, env=IDENTITY)
    done = offline(wheels["0.8.0"], "update", cwd=project)
    assert (done.returncode, done.stdout) == (
        0,
        "churn-model is already at v0.8.0, the template's newest release\n",
    )


def test_a_project_newer_than_the_installation_is_told_to_upgrade_it(
    wheels: dict[str, Path], project: Path
) -> None:
    assert offline(wheels["0.8.0"], "update", cwd=project).returncode == 0
    sh("git", "commit", "-qm", "Update", cwd=project, env=IDENTITY)
    before = sh("git", "rev-parse", "HEAD", cwd=project)
    done = offline(wheels["0.7.0"], "update", cwd=project)
    assert done.returncode == 1
    assert "v0.8.0" in done.stderr
    assert "upgrade mlops-scaffold" in done.stderr
    assert sh("git", "status", "--porcelain", cwd=project) == ""
    assert sh("git", "rev-parse", "HEAD", cwd=project) == before


def test_an_unedited_project_becomes_what_the_newer_wheel_would_have_made(
    wheels: dict[str, Path], tmp_path: Path
) -> None:
    for place, version in (("old", "0.7.0"), ("new", "0.8.0")):
        made = tmp_path / place / "churn-model"
        options = ("--defaults", "--no-setup", "-d", "port=9001")
        assert run(wheels[version], "new", made, *options).returncode == 0
    assert run(wheels["0.8.0"], "update", tmp_path / "old/churn-model").returncode == 0
    trees = []
    for place in ("old", "new"):
        made = tmp_path / place / "churn-model"
        sh("git", "commit", "-q", "--allow-empty", "-m", "x", cwd=made, env=IDENTITY)
        trees.append(sh("git", "rev-parse", "HEAD^{tree}", cwd=made))
    assert trees[0] == trees[1]
