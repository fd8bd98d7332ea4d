"""docs/from-a-notebook.md, followed word for word: from six cells to a served prediction."""

import json
import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.support import ROOT, run, sh
from tests.template import makeityours
from tests.template.conftest import PACKAGE, python, serving

PAGE = (ROOT / "docs" / "from-a-notebook.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n# ([^\n]+)\n(.*?)```", PAGE, flags=re.DOTALL)
CELLS = "".join(block for name, block in BLOCKS if name.startswith("cell "))


@pytest.fixture(scope="module")
def followed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose files are what the page says."""
    folder = tmp_path_factory.mktemp("notebook") / "churn-model"
    sh("git", "clone", "-q", project, folder)
    (folder / ".venv").symlink_to(project / ".venv")
    files = {name: block for name, block in BLOCKS if not name.startswith("cell ")}
    assert [*files] == [
        "data/customers.py",
        *(f"src/{PACKAGE}/{name}.py" for name in ("data", "features", "train")),
    ]
    sh(python(project), "-c", files.pop("data/customers.py"), cwd=folder)
    for name, block in files.items():
        path = folder / name
        whole = block.startswith('"""')
        path.write_text(block if whole else makeityours.merged(path.read_text(), block))
    (limits,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    settings = folder / "pyproject.toml"
    kept = [
        line for line in settings.read_text().splitlines() if not re.match(r"min_\w*skill", line)
    ]
    settings.write_text("\n".join(kept).replace("[tool.mlops.gate]\n", limits) + "\n")
    for step in ("golden", "train", "gate"):
        print(sh(python(project), "-m", f"{PACKAGE}.{step}", cwd=folder, env=path_of(folder)))
    return folder


def path_of(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(folder / "src")}


def test_the_six_cells_and_the_project_are_as_good(followed: Path) -> None:
    said = sh(python(followed), "-c", f"{CELLS}\nprint(score)", cwd=followed)
    report = json.loads((followed / ".state/gate/report.json").read_text())
    assert report["accepted"] is True
    assert report["metric"] == "roc_auc"
    assert float(said) > 0.8
    assert abs(report["slices"]["all"]["score"] - float(said)) < 0.06
    assert {"basic", "visits unknown"} <= report["slices"].keys()


def test_the_server_answers_the_row_of_the_page(followed: Path, tmp_path: Path) -> None:
    (row,) = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    artifacts = followed / f"src/{PACKAGE}/artifacts"
    with serving(followed, artifacts, tmp_path / "log", **path_of(followed)) as server:
        answer = httpx.post(f"{server.url}/predict", content=row)
        assert answer.status_code == 200, answer.text
        assert answer.json()["probabilities"].keys() == {"no", "yes"}
        later = json.loads(row) | {"as_of": "2025-08-01T00:00:00Z"}
        stays = httpx.post(f"{server.url}/predict", json=later).json()
        assert stays["probabilities"]["yes"] < answer.json()["probabilities"]["yes"]
        wrong = httpx.post(f"{server.url}/predict", json=later | {"plan": " BASIC"})
        assert wrong.json()["detail"][0]["message"] == "must be one of basic, plus, pro"


def test_the_project_passes_its_own_checks(followed: Path) -> None:
    tool = python(followed)
    for argv in (("ruff", "format", "--check"), ("ruff", "check"), ("mypy", "src", "tests")):
        sh(tool, "-m", *argv, cwd=followed, env=path_of(followed))
    argv = ("pytest", "-q", "--ignore", "tests/acceptance")
    done = run(tool, "-m", *argv, cwd=followed, env=path_of(followed))
    assert done.returncode == 0, done.stdout


def test_an_edit_that_goes_wrong_is_named_by_its_line(followed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "churn-model"
    shutil.copytree(followed, broken, symlinks=True)
    data = broken / f"src/{PACKAGE}/data.py"
    data.write_text(data.read_text().replace('table["plan"].str', 'table["Plan"].str'))
    done = run(python(broken), "-m", f"{PACKAGE}.train", cwd=broken, env=path_of(broken))
    (number,) = [n for n, line in enumerate(data.read_text().splitlines(), 1) if '"Plan"' in line]
    assert done.stderr.startswith(f"error: src/{PACKAGE}/data.py:{number}: KeyError: 'Plan'  (")
