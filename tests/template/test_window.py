"""A split by time: what is golden, what is trained on, and who is compared on which rows."""

import csv
import json
import shlex
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support import IDENTITY, Done, run, sh
from tests.template import makeityours
from tests.template.conftest import PACKAGE, python, serving

TABLE = '''"""Rows of some days, out of a file that the test writes."""

import datetime

import pandas as pd

from .schema import Number, Schema
from .split import by_time, random

SCHEMA = Schema((Number("x", "", -9, 9), Number("number", "", 0, 999)), "over", ("no", "yes"))
SPLIT = {split}
SLICES = {{"low": lambda table: table["x"] < 0}}


def load() -> pd.DataFrame:
    table = pd.read_csv("table.csv")
    days = [datetime.date.fromisoformat(day) for day in table["day"]]
    return table.assign(day={day})
'''
FOREST = '''
def estimator(seed: int) -> Any:
    """It remembers what each day was like."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(40, min_samples_leaf=5, random_state=seed)
'''
FIRST = date(2024, 1, 1)


def a_day(number: int) -> str:
    return str(FIRST + timedelta(days=number))


def write_table(folder: Path, days: int, a_day_has: int = 6, wave: float = 0.0) -> None:
    """What is over a line that rises and falls; a shorter table is the beginning of a longer."""
    chance = np.random.default_rng(0)
    with (folder / "table.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["x", "number", "over", "day"])
        for number in range(days):
            line = 0.005 * number + wave * np.sin(number / 8)
            for x, luck in zip(*chance.normal(size=(2, a_day_has)).round(4), strict=True):
                over = x + 0.02 * luck > line
                out.writerow([x, number, "yes" if over else "no", a_day(number)])


def made(
    project: Path, folder: Path, days: int = 100, day: str = "table['day']", **more: Any
) -> Path:
    """A project of such a table, split by its day."""
    sh("git", "clone", "-q", project, folder)
    (folder / ".venv").symlink_to(project / ".venv")
    text = TABLE.format(day=day, split=more.pop("split", "by_time('day')"))
    (folder / "src" / PACKAGE / "data.py").write_text(text)
    write_table(folder, days, **more)
    return folder


def step(folder: Path, name: str, *words: str) -> Done:
    path = {"PYTHONPATH": str(folder / "src")}
    return run(python(folder), "-m", f"{PACKAGE}.{name}", *words, cwd=folder, env=path)


def do(folder: Path, name: str, *words: str) -> str:
    done = step(folder, name, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def golden(folder: Path) -> list[dict[str, str]]:
    with (folder / "data/golden.csv").open() as file:
        return list(csv.DictReader(file))


def facts(artifacts: Path) -> Any:
    return json.loads((artifacts / "model.json").read_text())


KINDS = {
    "texts": "table['day']",
    "dates": "days",
    "timestamps": "pd.to_datetime(table['day'])",
    "times of a zone": "pd.to_datetime(table['day']).dt.tz_localize('Asia/Tokyo')",
    "offsets that differ": "[f'{d}T12:00:00+0{d.day % 3}:00' for d in days]",
    "some with an offset": "[f'{d}T12:00:00' + '+01:00' * (d.day % 2) for d in days]",
    "datetimes": "[datetime.datetime(d.year, d.month, d.day) for d in days]",
    "periods": "pd.to_datetime(table['day']).dt.to_period('D')",
    "numbers": "table['number'] * 0.1",
    "whole numbers": "table['number'] + 1_700_000_000",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_fifth_is_golden_however_times_are_written(
    project: Path, tmp_path: Path, kind: str
) -> None:
    folder = made(project, tmp_path / "p", day=KINDS[kind])
    wrote, command = do(folder, "golden").splitlines()
    assert wrote == "wrote data/golden.csv: 120 of 600 rows, never to be trained on"
    assert {float(row["number"]) for row in golden(folder)} == set(range(80, 100))
    since, _, file = command.rpartition(" ")
    assert file == "data/golden.csv"
    at = since.partition(" since ")[2].strip('"')
    assert at in ("8.0", "1700000080") or at.startswith(("2024-03-21", "2024-03-20T15:00"))
    sh("git", "commit", "-q", "--no-verify", *shlex.split(command)[2:], cwd=folder, env=IDENTITY)
    assert sh("git", "status", "--porcelain", "data", cwd=folder) == ""


GAPS = {
    "[None, *days[1:]]": "1 of 600 rows are of no time, such as None",
    "[pd.NaT, *pd.to_datetime(table['day'])[1:]]": "1 of 600 rows are of no time, such as NaT",
    "['', *table['day'][1:]]": "1 of 600 rows are of no time, such as ''",
    "['tomorrow', *table['day'][1:]]": "1 of 600 rows are of no time, such as 'tomorrow'",
    "table['number'].where(table['number'] < 90)": "60 of 600 rows are of no time, such as nan",
    "'2024-01-01'": "no row is older than the newest fifth",
    "['2024-01-01'] * 599 + ['2024-01-02']": "no row is older than the newest fifth",
}


@pytest.mark.parametrize("day", GAPS)
def test_a_gap_or_times_that_tell_nothing_apart_are_a_line_of_cause_and_one_of_remedy(
    project: Path, tmp_path: Path, day: str
) -> None:
    folder = made(project, tmp_path / "p", day=day)
    before = (folder / "data/golden.csv").read_bytes()
    done = step(folder, "golden")
    cause, remedy = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert cause.startswith(f"error: SPLIT is by 'day': {GAPS[day]}")
    assert remedy == "  try: correct load() or SPLIT in data.py"
    assert (folder / "data/golden.csv").read_bytes() == before


def test_rows_as_new_as_the_window_or_newer_are_not_trained_on(
    project: Path, tmp_path: Path
) -> None:
    folder = made(project, tmp_path / "p")
    do(folder, "golden")
    artifacts = folder / "src" / PACKAGE / "artifacts"
    do(folder, "train")
    first = (artifacts / "model.onnx").read_bytes()
    assert facts(artifacts)["window"] == "2024-03-21T00:00:00+00:00"
    assert a_day(80) == "2024-03-21"
    assert facts(artifacts)["training_rows"] == 64 * 6  # of 80 days the older four fifths
    write_table(folder, 150)  # days that are newer than all golden ones
    do(folder, "train")
    assert facts(artifacts)["training_rows"] == 64 * 6
    assert (artifacts / "model.onnx").read_bytes() == first
    with (folder / "table.csv").open() as file:
        lines = file.read().splitlines()
    (folder / "table.csv").write_text("\n".join([lines[0], *lines[1 + 80 * 6 :]]) + "\n")
    nothing = step(folder, "train")  # the table has lost all that is older
    assert nothing.returncode == 1
    assert "no row is older than the newest fifth" in nothing.stderr.splitlines()[0]


def score_of(folder: Path, model: Path, rows: list[dict[str, str]], log: Path) -> float:
    """The skill of what a client gets from a model for some golden rows."""
    asked = [{"x": float(row["x"]), "number": float(row["number"])} for row in rows]
    with serving(folder, model, log, PYTHONPATH=f"{folder}/src") as server:
        answers = httpx.post(f"{server.url}/predict", json=asked).json()
    actual = np.array([row["over"] == "yes" for row in rows], float)
    said = np.array([answer["probabilities"]["yes"] for answer in answers])
    return 1 - float(((said - actual) ** 2).sum() / ((actual.mean() - actual) ** 2).sum())


def test_a_champion_is_compared_on_the_golden_rows_that_are_newer_than_its_window(
    project: Path, tmp_path: Path
) -> None:
    folder = made(project, tmp_path / "p")
    models = {}
    for days in (100, 110, 140):
        write_table(folder, days)
        do(folder, "golden")
        do(folder, "train", "--out", str(tmp_path / f"{days}"))
        models[days] = tmp_path / f"{days}"

    def judged(days: int, champion: int) -> tuple[str, Any]:
        write_table(folder, days)
        do(folder, "golden")
        step(folder, "gate", "--model", str(models[days]), "--champion", str(models[champion]))
        report = json.loads((folder / ".state/gate/report.json").read_text())
        return report["note"], report["champion"]

    # Forward: all golden rows are newer than what it was trained on.
    note, champion = judged(140, 100)
    rows = golden(folder)
    newer = f"on the {len(rows)} golden rows, which are newer than all that it was trained on"
    assert newer in note
    mine = score_of(folder, models[100], rows, tmp_path / "log")
    assert (champion["rows"], champion["score"]) == (len(rows), pytest.approx(mine))

    # Backward, by a part: what is older than its window it may have been trained on.
    note, champion = judged(100, 110)
    assert facts(models[110])["window"].startswith(a_day(88))
    rows = [row for row in golden(folder) if row["day"] >= a_day(88)]
    assert f"on the {len(rows)} golden rows, which are newer" in note
    assert 0 < len(rows) < len(golden(folder))
    mine = score_of(folder, models[110], rows, tmp_path / "log")
    assert (champion["rows"], champion["score"]) == (len(rows), pytest.approx(mine))

    # Backward, behind all of it; and by a column of another kind.
    note, champion = judged(110, 140)
    assert champion is None
    assert note == "not compared with the champion: it may have been trained on all golden rows"
    data = folder / "src" / PACKAGE / "data.py"
    data.write_text(data.read_text().replace("table['day'])", "table['number'])"))
    note, champion = judged(110, 140)
    assert champion is None
    assert "its window is 2024-04-22T00:00:00+00:00, and 'day' is of another kind" in note


def test_a_model_that_is_good_by_chance_and_poor_by_time_is_told_apart(
    project: Path, tmp_path: Path
) -> None:
    told = {}
    for name, split in {"random": "random()", "time": "by_time('day')"}.items():
        folder = made(project, tmp_path / name, split=split, a_day_has=12, wave=0.5)
        train = folder / "src" / PACKAGE / "train.py"
        train.write_text(makeityours.merged(train.read_text(), FOREST))
        pyproject = folder / "pyproject.toml"
        limits = 'metric = "accuracy"\nmin_accuracy = 0.9\nmin_slice_accuracy = 0.5\n'
        text = pyproject.read_text()
        pyproject.write_text(text.replace("[tool.mlops.gate]\n", f"[tool.mlops.gate]\n{limits}"))
        do(folder, "golden")
        do(folder, "train")
        verdict = step(folder, "gate")
        report = json.loads((folder / ".state/gate/report.json").read_text())
        told[name] = (verdict.returncode, report["slices"]["all"]["value"])
    assert told["random"][0] == 0 and told["random"][1] > 0.92
    assert told["time"][0] == 1 and 0.7 < told["time"][1] < 0.87
