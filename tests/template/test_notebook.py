"""notebooks/explore.ipynb, run from top to bottom, with tables of several kinds."""

import json
import os
import sys
import re
import shutil
from pathlib import Path

import pytest

from tests.support import last_known_day, run, sh
from tests.template import makeityours
from tests.template.conftest import PACKAGE, python
from tests.template.test_columns import HERE as FLIGHTS

NOTEBOOK = "notebooks/explore.ipynb"
# As the page says, in an environment of its own on top of the project's.
JUPYTER = ("uv", "run", "--no-sync", "--with", "ipykernel", "--with", "nbconvert", "jupyter")


def execute(project: Path) -> str:
    """Run it; everything that its cells show."""
    sh(python(project), "-m", f"{PACKAGE}.golden", cwd=project, env=path_of(project))
    made = ("--output-dir", project, "--output", "executed.ipynb")
    argv = (*JUPYTER, "nbconvert", "--to", "notebook", "--execute", NOTEBOOK, *made)
    env = path_of(project) | last_known_day() | {"IPYTHONDIR": str(project / ".ipython")}
    done = run(*argv, cwd=project, env=env)
    assert done.returncode == 0, done.stderr
    cells = json.loads((project / "executed.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "stream"]  # no warnings
    return "\n".join("".join(output["data"]["text/plain"]) for output in outputs)


def path_of(project: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(project / "src")}


def test_it_shows_the_table_the_classes_and_the_figures_of_the_gate(clone: Path) -> None:
    said = execute(clone)
    assert re.search(r"benign +0\.627", said)
    assert re.search(r"mean_radius +569", said)
    trained = sh(python(clone), "-m", f"{PACKAGE}.train", cwd=clone, env=path_of(clone))
    (skill, accuracy) = re.findall(r"(?:skill|accuracy) (0\.\d+)", trained)
    (line,) = [line for line in said.splitlines() if re.search(r"\ball\b +\d+ +0\.", line)]
    assert float(skill) == pytest.approx(float(line.split()[-2]), abs=1e-4)
    assert float(accuracy) == pytest.approx(float(line.split()[-1]), abs=1e-4)


def test_so_it_does_for_a_regression(clone: Path) -> None:
    makeityours.apply(clone)
    said = execute(clone)
    assert "progression" in said
    assert "sex 1" in said


def test_so_it_does_for_gaps_texts_and_times(clone: Path) -> None:
    source = clone / "src" / PACKAGE
    for name in ("data.py", "features.py"):
        shutil.copy(FLIGHTS / name, source)
    train = source / "train.py"
    train.write_text(makeityours.merged(train.read_text(), (FLIGHTS / "train.txt").read_text()))
    said = execute(clone)
    assert "storm, late" in said
    assert "no wind known" in said


def test_what_it_showed_is_no_part_of_a_commit(clone: Path) -> None:
    before = (clone / NOTEBOOK).read_text()
    content = json.loads(before)
    shown = {"output_type": "stream", "name": "stdout", "text": ["a patient's name\n"]}
    content["cells"][1] |= {"outputs": [shown], "execution_count": 1}
    (clone / NOTEBOOK).write_text(json.dumps(content))
    hooks = ("-m", "pre_commit", "run", "--files", NOTEBOOK)
    path = f"{Path(python(clone)).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"UV_NO_SYNC": "1", "PATH": path}
    done = run(python(clone), *hooks, cwd=clone, env=env)
    assert done.returncode == 1
    assert (clone / NOTEBOOK).read_text() == before
    assert run(python(clone), *hooks, cwd=clone, env=env).returncode == 0
