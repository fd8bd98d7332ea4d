"""Projects of small tables that this file draws: two classes of which one is rare, three, a number.

A project is cloned from the one that all tests share, and its own code is run from its folder.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

import httpx

from tests.support import Done, run, sh
from tests.template import makeityours
from tests.template.conftest import PACKAGE, Server, python

HEAD = '''"""A table that is drawn."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from .schema import Feature, Schema

FEATURES = (Feature("x", "", -9, 9), Feature("y", "", -9, 9), Feature("z", "", 0, 1))
SLICES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {"x above 0": lambda t: t["x"] > 0}
RANDOM = np.random.default_rng(7)


def drawn(count):
    columns = {name: RANDOM.normal(size=count).clip(-9, 9) for name in "xy"}
    return pd.DataFrame(columns | {"z": RANDOM.uniform(size=count)})
'''
RARE = """
SCHEMA = Schema(target="churned", classes=("no", "yes"), positive="yes", features=FEATURES)
SLICES["nobody"] = lambda table: table["z"] < 0.1


def load():
    table = drawn(20_000)
    score = 3 * table["x"] + 2 * table["y"] + RANDOM.logistic(size=len(table))
    rank = score.where(table["z"] >= 0.1, -1e9).rank(ascending=False)
    return table.assign(churned=np.where(rank <= 200, "yes", "no"))
"""
THREE = """
SCHEMA = Schema(target="kind", classes=("a", "b", "c"), features=FEATURES)


def load():
    table = drawn(600)
    scores = table.assign(z=0).to_numpy() * 1.5 + RANDOM.gumbel(size=(600, 3))
    return table.assign(kind=np.array(["a", "b", "c"])[scores.argmax(axis=1)])
"""
NUMBER = """
SCHEMA = Schema(target="price", features=FEATURES)


def load():
    table = drawn(600)
    noise = RANDOM.normal(size=600)
    return table.assign(price=3 * table["x"] - table["y"] + noise)
"""
MANY = """
NAMES = [f'''<b>{n:02} & "ü" 'x' | `y` *z* _w_ 日本</b> '''.ljust(60, "ö") for n in range(40)]
SCHEMA = Schema(target="kind", classes=tuple(NAMES), features=FEATURES)
SLICES["<script>alert(1)</script> | `a` & b"] = lambda table: table["x"] < 0


def load():
    table = drawn(1600)
    place = 5 * np.arctan2(table["x"], table["y"]) / np.pi + 5 * table["z"]
    return table.assign(kind=[NAMES[n] for n in (place.rank() - 1).astype(int) // 40])
"""
SEVERAL = """
SCHEMA = Schema(numbers=("width", "height"), features=FEATURES)


def load():
    table = drawn(600)
    noise = RANDOM.normal(size=600)
    return table.assign(width=table["x"] + noise, height=1e6 * (table["y"] - noise))
"""
QUANTILES = NUMBER.replace('target="price"', 'target="price", numbers=("low", "high")')
SCORE = """
SCHEMA = Schema(beside=("known",), features=FEATURES)


def load():
    table = drawn(600)
    return table.assign(known=(table["x"] > 1).astype(int))
"""
RIDGE = """
from sklearn.linear_model import Ridge


def estimator(seed: int) -> Any:
    return Ridge()
"""
BAND = (
    RIDGE
    + """

def fit(table: pd.DataFrame, target: Target, seed: int) -> Any:
    return Ridge().fit(table, np.column_stack([target - 1.28, target + 1.28]))
"""
)
ANOMALY = (
    RIDGE
    + """

def fit(table: pd.DataFrame, target: Target, seed: int) -> Any:
    return Ridge().fit(table, table["x"])
"""
)
OWN = """import pandas as pd
from sklearn.metrics import roc_auc_score


def auc(rows: pd.DataFrame, said):
    return roc_auc_score(rows["known"], said)
"""
LOOSE = "margin = 9\nslice_margin = 9\nmin_slice_rows = 30\n"
Figures = dict[str, Any]


def made(project: Path, folder: Path, data: str, train: str = "", model: str = "") -> Path:
    """A project of a table, with a golden dataset and no model."""
    sh("git", "clone", "-q", project, folder)
    (folder / ".venv").symlink_to(project / ".venv")
    source = folder / "src" / PACKAGE
    (source / "data.py").write_text(HEAD + data)
    if train:
        file = source / "train.py"
        file.write_text(makeityours.merged(file.read_text(), train))
    if model:
        settings(folder, "model", f"expires_after_days = 90\n{model}\n")
    assert do(folder, "golden").returncode == 0
    return folder


def settings(folder: Path, name: str, text: str) -> None:
    """Set a table below [tool.mlops] in pyproject.toml."""
    file = folder / "pyproject.toml"
    found = rf"(?ms)^\[tool\.mlops\.{name}\]\n.*?(?=^\[)"
    content, times = re.subn(found, lambda _: f"[tool.mlops.{name}]\n{text}\n", file.read_text())
    assert times == 1
    file.write_text(content)


def metric(folder: Path, name: str, more: str = "", low: float = -99, high: float = 99) -> None:
    """Let the gate judge by a metric, with limits that most models hold."""
    ends, limited = {"min": low, "max": high}, name.rpartition(":")[2]
    limits = [f"{e}_{s}{limited} = {v}\n" for e, v in ends.items() for s in ("", "slice_")]
    settings(folder, "gate", f'metric = "{name}"\n{LOOSE}{"".join(limits)}{more}')


def do(folder: Path, verb: str, *words: str | Path) -> Done:
    """Run golden, train or gate, as `make` does."""
    path = {"PYTHONPATH": f"{folder / 'src'}"}
    return run(python(folder), "-m", f"{PACKAGE}.{verb}", *words, cwd=folder, env=path)


def report(folder: Path) -> Figures:
    """What the gate wrote, which is JSON as the standard has it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    text = (folder / ".state/gate/report.json").read_text()
    found: Figures = json.loads(text, parse_constant=refuse)
    return found


def answers(server: Server, rows: list[dict[str, float]]) -> list[Any]:
    """What a client gets for rows, a thousand a request."""
    found: list[Any] = []
    for start in range(0, len(rows), 1000):
        answer = httpx.post(f"{server.url}/predict", json=rows[start : start + 1000], timeout=30)
        assert answer.status_code == 200, answer.text
        found += answer.json()
    return found


def golden(folder: Path, target: str) -> tuple[list[dict[str, float]], list[str], list[float]]:
    """The golden rows as a client sends them, what came true, and what each stands for."""
    with (folder / "data/golden.csv").open() as file:
        lines = list(csv.DictReader(file))
    rows = [{name: float(line[name]) for name in "xyz"} for line in lines]
    return rows, [r[target] for r in lines], [float(r.get("stands_for", 1)) for r in lines]
