"""What may be predicted: several numbers, quantiles of one, or a score; judged from outside."""

import csv
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton  # type: ignore[import-untyped]

from tests.support import run, sh
from tests.template import makeityours
from tests.template.conftest import PACKAGE, python, serving

TABLE = '''"""Two numbers of each point, and two that hang on them."""

import numpy as np
import pandas as pd

from .schema import Number, Schema

SCHEMA = Schema(features=(Number("x", "", -9, 9), Number("y", "", -9, 9)), {about})
SLICES = {{"left": lambda table: table["x"] < 0}}


def load() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    x, y, noise = chance.normal(size=(3, 900)).round(3)
    odd = np.abs(x) > 2
    return pd.DataFrame({{"x": x, "y": y, "up": x + y + noise, "down": 3 * x - y, "odd": odd}})
'''
LINEAR = """
from sklearn.linear_model import LinearRegression


def estimator(seed: int) -> Any:
    return LinearRegression()
"""
QUANTILES = '''
def fit(table: pd.DataFrame, target: Target, seed: int) -> Any:
    from sklearn.linear_model import QuantileRegressor

    made = [QuantileRegressor(quantile=share, alpha=0) for share in (0.1, 0.9)]
    return [one.fit(table, target) for one in made]


def predict(fitted: Any, table: pd.DataFrame) -> Any:
    return np.column_stack([one.predict(table) for one in fitted])


def export(fitted: Any, table: pd.DataFrame) -> Files:
    lines = [[float(part) for part in (*one.coef_, one.intercept_)] for one in fitted]
    return {"model.txt": repr(lines).encode()}
'''
SCORE = '''
def fit(table: pd.DataFrame, target: Target, seed: int) -> Any:
    return table.mean(), table.std()


def predict(fitted: Any, table: pd.DataFrame) -> Any:
    return (((table - fitted[0]) / fitted[1]) ** 2).sum(axis=1).to_numpy()


def export(fitted: Any, table: pd.DataFrame) -> Files:
    return {"model.txt": repr([list(map(float, part)) for part in fitted]).encode()}
'''
NATIVE = '''"""The model out of its own file."""

import ast
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .schema import Columns


def load(files: dict[str, bytes]) -> Callable[[Columns], NDArray[np.float64]]:
    parts = np.array(ast.literal_eval(files["model.txt"].decode()))
    return lambda columns: {answer}
'''
JUDGING = '''"""How well odd points are told from others."""

from typing import Any

import numpy as np


def separation(rows: Any, said: Any) -> float:
    """How much higher the scores of odd points are."""
    odd = rows["odd"].to_numpy(str) == "True"
    return float(np.mean(said[odd]) - np.mean(said[~odd]))
'''


def written(project: Path, folder: Path, files: dict[str, str], settings: str) -> Path:
    """A project with its own table and model."""
    sh("git", "clone", "-q", project, folder)
    (folder / ".venv").symlink_to(project / ".venv")
    for name, text in files.items():
        path = folder / "src" / PACKAGE / name
        old = path.read_text() if name == "train.py" else ""
        path.write_text(makeityours.merged(old, text) if old else text)
    pyproject = folder / "pyproject.toml"
    text = pyproject.read_text()
    pyproject.write_text(text.replace("[tool.mlops.gate]\n", f"[tool.mlops.gate]\n{settings}\n"))
    return folder


def own(project: Path, folder: Path, files: dict[str, str], settings: str) -> Path:
    """The same, trained and accepted."""
    written(project, folder, files, settings)
    for step in ("golden", "train", "gate"):
        done = step_of(folder, step)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def step_of(folder: Path, step: str) -> subprocess.CompletedProcess[str]:
    env = {"PYTHONPATH": str(folder / "src")}
    return run(python(folder), "-m", f"{PACKAGE}.{step}", cwd=folder, env=env)


def asked(folder: Path, log: Path) -> tuple[list[dict[str, str]], list[Any]]:
    """The golden rows of the file, and what a client gets for them from `/predict` and `/v2`."""
    with (folder / "data/golden.csv").open() as file:
        rows = list(csv.DictReader(file))
    points = [{name: float(row[name]) for name in ("x", "y")} for row in rows]
    env = {"PYTHONPATH": str(folder / "src")}
    artifacts = folder / "src" / PACKAGE / "artifacts"
    with serving(folder, artifacts, log, **env) as server:
        answer = httpx.post(f"{server.url}/predict", content=json.dumps(points))
        assert answer.status_code == 200, answer.text
        said = [one["prediction"] for one in answer.json()]
        with triton.InferenceServerClient(":".join(map(str, server.address))) as client:
            tensor = triton.InferInput("features", [len(points), 2], "FP64")
            tensor.set_data_from_numpy(np.array([[p["x"], p["y"]] for p in points]))
            result = client.infer("churn-model", [tensor])
            name = result.get_response()["outputs"][0]["name"]
            tensors = result.as_numpy(name).reshape(len(points), -1)
    lists = [list(one.values()) if isinstance(one, dict) else [one] for one in said]
    np.testing.assert_allclose(tensors, lists, rtol=1e-6)
    return rows, said


def report(folder: Path) -> Any:
    return json.loads((folder / ".state/gate/report.json").read_text())


def test_several_numbers_are_answered_by_name_and_judged_as_a_client_gets_them(
    project: Path, tmp_path: Path
) -> None:
    files = {"data.py": TABLE.format(about='numbers=("up", "down")'), "train.py": LINEAR}
    folder = own(project, tmp_path / "churn-model", files, "")
    rows, said = asked(folder, tmp_path / "log")
    assert said[0].keys() == {"up", "down"}
    truth = np.array([[float(row["up"]), float(row["down"])] for row in rows])
    off = truth - [[one["up"], one["down"]] for one in said]
    mine = np.mean(1 - (off**2).sum(axis=0) / ((truth - truth.mean(axis=0)) ** 2).sum(axis=0))
    assert report(folder)["slices"]["all"]["score"] == pytest.approx(mine, abs=1e-6)


def test_quantiles_of_one_target_are_judged_by_their_own_loss(
    project: Path, tmp_path: Path
) -> None:
    files = {
        "data.py": TABLE.format(about='target="up", numbers=("low", "high")'),
        "train.py": QUANTILES,
        "native.py": NATIVE.format(
            answer='np.column_stack([columns["x"], columns["y"], np.ones(len(columns["x"]))])'
            " @ parts.T"
        ),
    }
    limits = "max_mean_pinball_loss = 0.3\nmax_slice_mean_pinball_loss = 0.3\nalpha = [0.1, 0.9]"
    folder = own(
        project, tmp_path / "churn-model", files, f'metric = "mean_pinball_loss"\n{limits}'
    )
    rows, said = asked(folder, tmp_path / "log")
    truth = np.array([float(row["up"]) for row in rows])
    losses = list[float]()
    for name, share in (("low", 0.1), ("high", 0.9)):
        off = truth - [one[name] for one in said]
        losses.append(np.maximum(share * off, (share - 1) * off).mean())
    figures = report(folder)
    assert figures["slices"]["all"]["score"] == pytest.approx(np.mean(losses))
    assert figures["interval"][0] < np.mean(losses) < figures["interval"][1]
    below = np.mean([t < one["low"] for t, one in zip(truth, said, strict=True)])
    assert 0.03 < below < 0.2
    pyproject = folder / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('metric = "mean_pinball_loss"', ""))
    refused = step_of(folder, "gate")
    assert refused.returncode == 2
    assert "low, high are quantiles: metric = 'mean_pinball_loss'" in refused.stderr


def test_a_score_is_judged_by_a_function_of_ones_own(project: Path, tmp_path: Path) -> None:
    files = {
        "data.py": TABLE.format(about='beside=("odd",)'),
        "train.py": SCORE,
        "native.py": NATIVE.format(
            answer='((np.column_stack([columns["x"], columns["y"]]) - parts[0]) ** 2'
            " / parts[1] ** 2).sum(axis=1)"
        ),
        "judging.py": JUDGING,
    }
    limits = "min_separation = 2\nmin_slice_separation = 1"
    folder = own(
        project, tmp_path / "churn-model", files, f'metric = "judging:separation"\n{limits}'
    )
    rows, said = asked(folder, tmp_path / "log")
    odd = np.array([row["odd"] == "True" for row in rows])
    mine = np.mean(np.array(said)[odd]) - np.mean(np.array(said)[~odd])
    assert report(folder)["slices"]["all"]["score"] == pytest.approx(mine)
    model = json.loads((folder / "src" / PACKAGE / "artifacts/model.json").read_text())
    assert [*model["files"]] == ["model.txt"]


def test_a_native_model_that_says_otherwise_than_the_fitted_one_is_not_saved(
    project: Path, tmp_path: Path
) -> None:
    files = {
        "data.py": TABLE.format(about='beside=("odd",)'),
        "train.py": SCORE,
        "native.py": NATIVE.format(answer='columns["x"]'),
        "judging.py": JUDGING,
    }
    folder = written(project, tmp_path / "p", files, 'metric = "judging:separation"')
    assert step_of(folder, "golden").returncode == 0
    other = step_of(folder, "train")
    assert (other.returncode, other.stdout) == (1, "")
    assert "the exported model answers" in other.stderr
    assert "see load() in native.py" in other.stderr
    assert not (folder / "src" / PACKAGE / "artifacts").exists()


@pytest.mark.parametrize("threshold", ["1.5", '"0.2"'])
def test_a_threshold_that_is_no_probability_is_refused_before_training(
    project: Path, tmp_path: Path, threshold: str
) -> None:
    folder = written(project, tmp_path / "p", {}, "")
    pyproject = folder / "pyproject.toml"
    section = "[tool.mlops.model]\n"
    text = pyproject.read_text().replace(section, f"{section}threshold = {threshold}\n")
    pyproject.write_text(text)
    refused = step_of(folder, "train")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "is no probability\n  try: [tool.mlops.model] in pyproject.toml" in refused.stderr


WEIGHED = '''
def fit(table: pd.DataFrame, target: Target, seed: int, weights: NDArray[np.float64]) -> Any:
    return estimator(seed).fit(table, target, sample_weight=weights)
'''


def test_a_column_of_the_table_weighs_the_rows_that_are_fitted(
    project: Path, tmp_path: Path
) -> None:
    table = TABLE.format(about='numbers=("up",)')
    weighed = table.replace("SLICES = ", 'SAMPLE_WEIGHT = "cost"\nSLICES = ')
    weighed = weighed.replace('"odd": odd})', '"odd": odd, "cost": np.where(x > 0, 1.0, 1e-6)})')
    weighed = weighed.replace("x + y + noise", "np.abs(x) + y")
    files = {"data.py": weighed, "train.py": f"from numpy.typing import NDArray\n{LINEAR}{WEIGHED}"}
    low = "min_slice_skill = -9"
    folder = written(project, tmp_path / "churn-model", files, "")
    pyproject = folder / "pyproject.toml"
    text = re.sub(r"min_slice_skill = [0-9.]+", low, pyproject.read_text())
    pyproject.write_text(re.sub(r"min_skill = [0-9.]+", "min_skill = -9", text))
    for step in ("golden", "train"):
        done = step_of(folder, step)
        assert done.returncode == 0, done.stdout + done.stderr
    env = {"PYTHONPATH": str(folder / "src")}
    artifacts = folder / "src" / PACKAGE / "artifacts"
    with serving(folder, artifacts, tmp_path / "log", **env) as server:
        points = [{"x": 2.0, "y": 0.0}, {"x": -2.0, "y": 0.0}]
        answer = httpx.post(f"{server.url}/predict", content=json.dumps(points)).json()
    # It has learned where x is above 0, where the number is x; on the other side it is -x.
    assert [one["prediction"] for one in answer] == pytest.approx([2, -2], abs=0.01)
