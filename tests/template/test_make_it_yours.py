"""docs/make-it-yours.md, followed word for word with another table: nothing else needs a change."""

import json
import subprocess
from pathlib import Path

import httpx

from tests.support import run, sh
from tests.template import makeityours
from tests.template.conftest import PACKAGE, python, serving

ARTIFACTS = Path("src") / PACKAGE / "artifacts"


def test_the_page_turns_the_project_into_a_regression_and_every_check_passes(
    fresh_project: Path, tmp_path: Path
) -> None:
    changed = makeityours.apply(fresh_project)
    assert changed == [f"src/{PACKAGE}/data.py", f"src/{PACKAGE}/train.py"]
    tool = python(fresh_project)
    types = subprocess.Popen([tool, "-m", "mypy", "src", "tests"], cwd=fresh_project)
    for step in ("golden", "train", "gate"):
        sh(tool, "-m", f"{PACKAGE}.{step}", cwd=fresh_project)
    report = json.loads((fresh_project / ".state" / "gate" / "report.json").read_text())
    assert report["metric"] == "skill"
    for argv in (("ruff", "format", "--check"), ("ruff", "check")):
        sh(tool, "-m", *argv, cwd=fresh_project)
    sh(tool, "-m", "pytest", "-q", "--ignore", "tests/acceptance", cwd=fresh_project)

    with serving(fresh_project, fresh_project / ARTIFACTS, tmp_path / "log") as server:
        address = {"ACCEPTANCE_URL": server.url}
        sh(tool, "-m", "pytest", "-q", "tests/acceptance", cwd=fresh_project, env=address)
        row = report_row(fresh_project)
        answer = httpx.post(f"{server.url}/predict", json=row).json()
        assert set(answer) == {"prediction"}
        assert 25 < answer["prediction"] < 346
        wrong = httpx.post(f"{server.url}/predict", json=row | {"sex": "3"})
        assert wrong.status_code == 422
        assert wrong.json()["detail"][0]["message"] == "must be one of 1, 2"
        half = httpx.post(f"{server.url}/predict", json=row | {"age": 41.5}).json()
        assert half["detail"][0]["message"] == "must be a whole number from 0 to 120"
    assert types.wait() == 0


def report_row(project: Path) -> dict[str, object]:
    content = json.loads((project / ".state" / "gate" / "golden.json").read_text())
    row: dict[str, object] = content["rows"][0]
    return row


def test_only_the_two_files_know_the_table(project: Path) -> None:
    names = ("mean_radius", "malignant", "diagnosis", "tumour")
    known = {f"src/{PACKAGE}/data.py", "data/golden.csv", "docs/model-card.md"}
    files = sh("git", "ls-files", cwd=project).split()
    found = {
        file
        for file in files
        if file != "uv.lock" and any(name in (project / file).read_text() for name in names)
    }
    assert found <= known


def test_a_table_that_breaks_its_schema_is_refused_with_the_row_and_the_column(
    project: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", project, clone)
    data = clone / "src" / PACKAGE / "data.py"
    data.write_text(data.read_text().replace('to the edge", 1, 60)', 'to the edge", 1, 20)'))
    path = {"PYTHONPATH": str(clone / "src")}
    for step in ("golden", "train"):
        done = run(python(project), "-m", f"{PACKAGE}.{step}", cwd=clone, env=path)
        assert done.returncode == 1
        cause, remedy = done.stderr.splitlines()
        assert "mean_radius must be a number from 1 to 20" in cause
        assert "try: " in remedy
