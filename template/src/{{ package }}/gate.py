"""The gate: may this model be released? It is judged on the golden dataset, never trained on.

It must hold the limits in pyproject.toml and not be worse than the best model accepted so far,
overall and on every large slice, by the figure that `metric` names (metrics.py). The verdict is
written for machines (report.json), for people (report.py), and for the deploy, which compares a
server's answers with golden.json. Touch this file to add a rule.
"""

import argparse
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import faults, golden
from .data import SCHEMA, SLICES
from .metrics import Answered, Metric, metric_of, skill, spread
from .model import ARTIFACTS, FEATURES, Model, ModelError, load

ALL = "all"  # the name of the slice that every row is in
METRIC = "accuracy" if SCHEMA.classes else "mean absolute error"  # in units of the target
Limits = dict[str, Any]  # [tool.mlops.gate] in pyproject.toml, where each is explained


def limits_of(pyproject: Path = Path("pyproject.toml")) -> Limits:
    """The settings of the gate, and the threshold that the model must have."""
    settings = tomllib.loads(pyproject.read_text("utf-8"))["tool"]["mlops"]
    least = settings["model"].get("threshold")
    if least is not None and (type(least) not in (int, float) or not 0 < least <= 1):
        remedy = "[tool.mlops.model] in pyproject.toml: a number such as 0.2"
        raise ModelError(f"threshold = {least!r} is no probability", remedy)
    return {**settings["gate"], "threshold": least}


@dataclass(frozen=True)
class Slice:
    """How good a model is on a part of the rows."""

    name: str
    rows: int
    score: float  # by what is judged
    value: float | None = None  # of METRIC, which people know


@dataclass
class Report:
    """The verdict and what led to it, as report.json has it; a model may be past scoring."""

    limits: Limits
    golden_rows: int
    golden_fingerprint: str
    accepted: bool = False
    reasons: list[str] = field(default_factory=list)
    note: str = "not compared with a champion"
    model_sha256: str | None = None
    commit: str | None = None
    data_fingerprint: str | None = None
    higher: bool = True  # is better
    metric: str = "skill"
    better: float | None = None  # the score of all rows, turned so that more is better
    interval: tuple[float, float] | None = None  # of that score, in 95 of 100 cases
    slices: dict[str, Slice] = field(default_factory=dict)
    champion: Slice | None = None

    def lines(self) -> list[str]:
        """The verdict for a terminal: the result, then each reason on a line of its own."""
        head = f"{'accepted' if self.accepted else 'refused'} on {self.golden_rows} golden rows"
        if self.slices:
            part = self.slices[ALL]
            head += f": {self.metric} {part.score:.3f}"
            if self.interval:
                head += f" ({self.interval[0]:.3f} to {self.interval[1]:.3f} in 95 of 100 samples)"
            if part.value is not None:
                head += f", {METRIC} {part.value:.4g}"
        return [head, self.note, *self.reasons]


def answered(model: Model, rows: pd.DataFrame) -> Answered:
    """What a client gets for some rows of the table. Raises ModelError for an answer with a fault,
    and InvalidRowsError for a row that breaks the schema."""
    return as_numbers(rows, model.answers(golden.columns(rows)))


def as_numbers(rows: pd.DataFrame, answers: list[dict[str, Any]]) -> Answered:
    """Rows of the table and what a client got for them."""
    _, truth = golden.encode(rows)
    named = [answer["prediction"] for answer in answers]
    labels = np.zeros(len(rows), int)
    if SCHEMA.classes:
        said = [list(answer["probabilities"].values()) for answer in answers]
        labels = np.array([SCHEMA.classes.index(name) for name in named])
    else:
        said = [list(one.values()) if isinstance(one, dict) else [one] for one in named]
        truth = truth.reshape(len(rows), -1) * np.ones(SCHEMA.width)
    truth = truth.astype(int) if SCHEMA.classes else truth
    found = (SCHEMA, rows, truth, np.array(said, np.float64), labels)
    return Answered(*found, golden.weights(rows))


def measure(found: Answered, metric: Metric) -> dict[str, Slice]:
    """How good answers are: all, and those to each slice that has rows.

    A slice's own error is held against the best constant answer to all rows. Raises ModelError when
    the target is the same in every row, as skill has no meaning then.
    """
    masks = {ALL: np.full(len(found.rows), True)}
    masks |= {name: np.asarray(chooses(found.rows), bool) for name, chooses in SLICES.items()}
    for name, mask in masks.items():
        if mask.shape != (len(found.rows),):
            cause = f"the slice {name!r} chooses from {mask.shape} rows of {len(found.rows)}"
            raise ModelError(cause, "give one true or false a row: SLICES in data.py")
    reference = spread(found) if metric.score is skill else None
    slices = {}
    for name, mask in masks.items():
        if not mask.any():
            continue
        part = found.take(mask)
        score = metric.score(part) if reference is None else skill(part, reference)
        slices[name] = Slice(name, int(mask.sum()), score, _value(part))
    return slices


def _value(found: Answered) -> float | None:
    """The figure that people know: METRIC."""
    if not SCHEMA.targets:
        return None
    right = found.labels == found.truth if SCHEMA.classes else np.abs(found.said - found.truth)
    return float(np.average(right.reshape(len(right), -1).mean(axis=1), weights=found.weights))


def objections(model: Model, rows: pd.DataFrame, limits: Limits) -> Iterator[str]:
    """Why a model cannot be scored at all."""
    if model.schema != SCHEMA:
        yield "the model was trained with another schema than data.py declares: make train"
        return
    if model.facts.threshold != limits["threshold"]:
        yield "the model was trained with another threshold than pyproject.toml has: make train"
    if model.facts.golden_fingerprint != golden.fingerprint(rows):
        yield "data/golden.csv changed since the training, which may have seen its rows: make train"
    tried = {"golden rows": golden.columns(rows), "ends of the ranges": SCHEMA.corners}
    for name, columns in tried.items():
        faults = model.faults(model.raw(columns))
        for what, wrong in Counter(filter(None, faults)).items():
            yield f"the answer {what} for {wrong} of {len(faults)} {name}"


def dull(found: Answered, metric: Metric) -> Iterator[str]:
    """Why answers are refused that need no model."""
    if SCHEMA.classes and len(said := np.unique(found.labels)) == 1:
        others = int((found.truth != said[0]).sum())
        if others:
            name = SCHEMA.classes[said[0]]
            yield f"the answer is always {name!r}, also to {others} rows that are something else"
    if not SCHEMA.targets:
        return
    mine, constant = (metric.score(part) for part in (found, found.constant(metric.alphas)))
    if metric.score is not skill and not mine * metric.sign > constant * metric.sign:
        yield f"{metric.name} {mine:.3f} is no better than a constant answer's {constant:.3f}"


def judge(
    slices: dict[str, Slice], champion: dict[str, Slice], limits: Limits, metric: Metric
) -> Iterator[str]:
    """Why a scored model is refused; nothing when it is accepted."""
    end, fails = ("min", "below the minimum") if metric.higher else ("max", "above the maximum")
    sign = metric.sign
    for name, part in slices.items():
        kind, where = ("slice_", f" on the slice '{name}'") if name != ALL else ("", "")
        if kind and (part.rows < limits["min_slice_rows"] or np.isnan(part.score)):
            continue
        limit, margin = limits[f"{end}_{kind}{metric.name}"], limits[f"{kind}margin"]
        told = f"{metric.name} {part.score:.3f}{where}"
        # Written so that a score that is no number is refused too.
        if not part.score * sign >= limit * sign:
            yield f"{told} is {fails} of {limit:g}"
        best = champion.get(name)
        if best and not part.score * sign >= best.score * sign - margin:
            yield f"{told} is worse than the champion's {best.score:.3f} by more than {margin:g}"


def champion_of(folder: Path, rows: pd.DataFrame) -> tuple[Model | None, str]:
    """The best model so far, when it may be compared on these rows, or a line that says why not."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None, "no champion yet: judged by the limits alone"
    try:
        champion = load(folder)
        if champion.schema.shape != SCHEMA.shape:
            raise ModelError("it was made for another schema")
        if champion.facts.features_sha256 != FEATURES:
            raise ModelError("it was made for another features.py")
        same = champion.facts.golden_fingerprint == golden.fingerprint(rows)
        if not (same or (golden.SPLIT.kind == "time" and champion.facts.window)):
            raise ModelError("it may have been trained on these golden rows")
    except ModelError as error:
        return None, f"not compared with the champion: {error}"
    return champion, ""


def rivals(
    found: Answered, champion: Path, metric: Metric
) -> tuple[dict[str, Slice], dict[str, Slice], str]:
    """How good the candidate and the champion are on the rows that neither was trained on, and a
    line that says so, or why there is nothing to compare."""
    best, why = champion_of(champion, found.rows)
    if best is None:
        return {}, {}, why
    unseen, rows = np.full(len(found.rows), True), "golden rows"
    try:
        if best.facts.golden_fingerprint != golden.fingerprint(found.rows):  # the window moved
            unseen = golden.SPLIT.since(found.rows, best.facts.window)
            rows = f"{unseen.sum()} golden rows, which are newer than all that it was trained on"
        if not unseen.any():
            raise ModelError("it may have been trained on all golden rows")
        part = found.take(unseen)
        theirs, mine = measure(answered(best, part.rows), metric), measure(part, metric)
    except ModelError as error:
        return {}, {}, f"not compared with the champion: {error}"
    told = f"compared with the champion {best.facts.commit[:12]} on the {rows}: "
    return mine, theirs, f"{told}{theirs[ALL].score:.3f}"


def hold(candidate: Path, champion: Path, limits: Limits) -> tuple[Report, list[dict[str, Any]]]:
    """Judge the model in one folder against the one in the other: the verdict and its answers.

    Raises ModelError without a golden dataset or a candidate.
    """
    rows, metric = golden.read(), metric_of(SCHEMA, limits)
    report = Report(limits, len(rows), golden.fingerprint(rows), metric=metric.name)
    report.higher = metric.higher
    try:
        model = load(candidate)
    except ModelError as error:
        if not (candidate / "model.json").exists():
            raise
        report.reasons = [str(error)]
        return report, []
    report.model_sha256, report.commit = model.facts.model_sha256, model.facts.commit
    report.data_fingerprint = model.facts.data_fingerprint
    report.reasons = list(objections(model, rows, limits))
    if report.reasons:
        return report, []
    answers = model.answers(golden.columns(rows))
    found = as_numbers(rows, answers)
    report.slices = measure(found, metric)
    report.better = report.slices[ALL].score * metric.sign
    report.interval = metric.interval(found, golden.units(rows))
    mine, best, report.note = rivals(found, champion, metric)
    report.champion = best.get(ALL)
    missing = f"add it to [tool.mlops.gate] in pyproject.toml, in units of {metric.name}"
    try:
        reasons = [*dull(found, metric), *judge(report.slices, {}, limits, metric)]
        reasons += [r for r in judge(mine, best, limits, metric) if r not in reasons]
    except KeyError as error:
        raise ModelError(f"the gate has no limit {error}", missing) from None
    report.reasons, report.accepted = reasons, not reasons
    return report, answers


def main() -> int:
    parser = argparse.ArgumentParser(description="Judge a model on the golden dataset.")
    parser.add_argument("--model", type=Path, default=ARTIFACTS, help="folder of the candidate")
    parser.add_argument("--champion", type=Path, default=Path(".state/champion"), help="its folder")
    parser.add_argument("--report", type=Path, default=Path(".state/gate"), help="where to write")
    options = parser.parse_args()
    for old in options.report.glob("report.*"):
        old.unlink()  # it is about another model, also when this one cannot be judged
    with faults.told(2):
        report, answers = hold(options.model, options.champion, limits_of())
    from .report import write  # only here, as it needs what stands above

    options.report.mkdir(parents=True, exist_ok=True)
    table = golden.read()
    write(options.report, report, as_numbers(table, answers) if answers else None)
    few = golden.MOST  # that a deploy asks for, one by one
    rows = {"rows": golden.features(table.head(few)), "predictions": answers[:few]}
    told = json.loads(json.dumps(asdict(report)), parse_constant=lambda _: None)  # JSON has no NaN
    for name, content in {"report": told, "golden": rows}.items():
        (options.report / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    print("\n".join([*report.lines(), f"with plots: {options.report / 'report.html'}"]))
    return 0 if report.accepted else 1


if __name__ == "__main__":
    sys.exit(main())
