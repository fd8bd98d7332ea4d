"""What the template emits holds its own rules: size, hooks, no traces of where it was made."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.support import run, sh
from tests.template.conftest import PACKAGE, python


def test_the_hooks_pass_on_every_file_and_warn_of_nothing(project: Path) -> None:
    env = {"UV_NO_SYNC": "1"}
    done = run(python(project), "-m", "pre_commit", "run", "--all-files", cwd=project, env=env)
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout + done.stderr
    assert sh("git", "status", "--porcelain", cwd=project) == ""


SECRET = "AKIA" + "IOSFODNN7EXAMPLX"
OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["a patient's name\n"]}
CELL = {
    "cell_type": "code",
    "metadata": {},
    "source": [],
    "execution_count": 1,
    "outputs": [OUTPUT],
}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


BAD_PYTHON = 'import os\nx: int = "a"\ny = {  "a":1 }\n'
MARKERS = "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n"


@pytest.mark.parametrize(
    ("name", "content", "hooks"),
    [
        ("key.txt", f"key = '{SECRET}'\n", ["no secrets"]),
        ("large.bin", "x" * 1_100_000, ["no large files"]),
        ("left.txt", MARKERS, ["no merge markers"]),
        ("look.ipynb", NOTEBOOK, ["no outputs in notebooks"]),
        (f"src/{PACKAGE}/more.py", BAD_PYTHON, ["format", "lint", "types"]),
        ("pyproject.toml", "", ["uv.lock fits pyproject.toml"]),
    ],
)
def test_each_hook_stops_what_it_is_for(
    clone: Path, name: str, content: str, hooks: list[str]
) -> None:
    path = clone / name
    if name == "pyproject.toml":
        content = path.read_text().replace('"numpy>=2.0"', '"numpy>=2.0", "requests"')
    path.write_text(content)
    sh("git", "add", "-A", "-f", name, cwd=clone)
    env = {"UV_NO_SYNC": "1"}
    done = run(python(clone), "-m", "pre_commit", "run", "--files", name, cwd=clone, env=env)
    failed = [line for line in done.stdout.splitlines() if line.endswith("Failed")]
    assert done.returncode == 1
    for hook in hooks:
        assert any(line.startswith(hook) for line in failed), done.stdout


def test_the_wheel_holds_the_model_that_git_ignores_and_no_pipeline(
    clone: Path, model: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, clone / "src" / PACKAGE / "artifacts")
    sh("uv", "build", "-q", "--wheel", "--offline", "--out-dir", tmp_path / "dist", cwd=clone)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert f"{PACKAGE}/artifacts/model.onnx" in names
    assert f"{PACKAGE}/artifacts/model.json" in names
    assert not [name for name in names if name.startswith(("ops", "tests", "data", "notebooks"))]
    assert not [name for name in names if name.endswith(".ipynb")]
