"""The gate: may this model be released? It is judged on the golden dataset, never trained on.

It must hold the limits in pyproject.toml and not be worse than the best model accepted so far,
overall and on every large slice. The verdict is written for machines (report.json), for people
(report.md), and for the deploy, which compares a server's answers with golden.json.

    skill = 1 - mean squared error / mean squared error of the best constant answer

For classes the error is that of the vector of probabilities, and skill the Brier skill score (Brier
1950, Monthly Weather Review 78, 1-3; Murphy 1988, ibid. 116, 2417-2424); for numbers it is R
squared. 1 is perfect, 0 no better than a constant answer. Touch this file to add a rule.
"""

import argparse
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from . import golden
from .data import SCHEMA, SLICES
from .model import ARTIFACTS, FEATURES, Model, ModelError, load

ALL = "all"  # the name of the slice that every row is in
METRIC = "accuracy" if SCHEMA.classes else "mean absolute error"  # in units of the target
Limits = dict[str, float]  # [tool.mlops.gate] in pyproject.toml, where each is explained


def limits_of(pyproject: Path) -> Limits:
    return dict(tomllib.loads(pyproject.read_text("utf-8"))["tool"]["mlops"]["gate"])


@dataclass(frozen=True)
class Slice:
    """How good a model is on a part of the rows."""

    name: str
    rows: int
    skill: float
    value: float  # of METRIC, which people know


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
    skill: float | None = None
    metric: str = METRIC
    slices: dict[str, Slice] = field(default_factory=dict)
    champion: Slice | None = None

    def lines(self) -> list[str]:
        """The verdict for a terminal: the result, then each reason on a line of its own."""
        head = f"{'accepted' if self.accepted else 'refused'} on {self.golden_rows} golden rows"
        if self.slices:
            head += f": skill {self.skill:.3f}, {METRIC} {self.slices[ALL].value:.4g}"
        return [head, self.note, *self.reasons]

    def markdown(self) -> str:
        """The verdict as a page, for a pull request."""
        head, *rest = [*self.lines(), f"model `{self.model_sha256}`"]
        page = [f"## Gate: {head}", "", *(f"- {line}" for line in rest)]
        if self.slices:
            page += ["", f"| rows | number | skill | {METRIC} |", "|---|--:|--:|--:|"]
        for part in self.slices.values():
            page.append(f"| {part.name} | {part.rows} | {part.skill:.3f} | {part.value:.4g} |")
        return "\n".join([*page, ""])


def measure(model: Model, rows: pd.DataFrame) -> dict[str, Slice]:
    """How good a model's answers are on rows of the table: on all, and on each slice that has some.

    They are those that a client gets. A slice's own error is held against the best constant answer
    to all rows. Raises ValueError when the target is the same in every row, as skill has no meaning
    then, and ModelError when an answer has a fault.
    """
    columns, target = golden.encode(rows)
    answers = model.answers(columns)
    named = [answer["prediction"] for answer in answers]
    if SCHEMA.classes:
        said = np.array([list(answer["probabilities"].values()) for answer in answers])
        actual = np.eye(len(SCHEMA.classes))[target.astype(int)]
        values = np.array(named) == rows[SCHEMA.target].to_numpy(str)
    else:
        said, actual = np.array(named)[:, None], target[:, None]
        values = np.abs(said - actual)
    reference = ((actual.mean(axis=0) - actual) ** 2).sum(axis=1).mean()
    if not reference > 0:
        raise ValueError("every row has the same target, so no model can show skill")
    losses = ((said - actual) ** 2).sum(axis=1) / reference
    masks = {ALL: np.full(len(rows), True)}
    masks |= {name: np.asarray(chooses(rows), dtype=bool) for name, chooses in SLICES.items()}
    return {
        name: Slice(name, int(m.sum()), 1 - float(losses[m].mean()), float(values[m].mean()))
        for name, m in masks.items()
        if m.any()
    }


def objections(model: Model, rows: pd.DataFrame) -> Iterator[str]:
    """Why a model cannot be scored at all."""
    if model.schema != SCHEMA:
        yield "the model was trained with another schema than data.py declares: make train"
        return
    if model.facts.golden_fingerprint != golden.fingerprint(rows):
        yield "data/golden.csv changed since the training, which may have seen its rows: make train"
    tried = {"golden rows": golden.columns(rows), "ends of the ranges": SCHEMA.corners}
    for name, columns in tried.items():
        faults = model.faults(model.raw(columns))
        for what, wrong in Counter(filter(None, faults)).items():
            yield f"the answer {what} for {wrong} of {len(faults)} {name}"


def judge(slices: dict[str, Slice], champion: dict[str, Slice], limits: Limits) -> Iterator[str]:
    """Why a scored model is refused; nothing when it is accepted."""
    for name, part in slices.items():
        kind, where = ("slice_", f" on the slice '{name}'") if name != ALL else ("", "")
        if kind and part.rows < limits["min_slice_rows"]:
            continue
        minimum, margin = limits[f"min_{kind}skill"], limits[f"{kind}margin"]
        told = f"skill {part.skill:.3f}{where}"
        # Written so that a skill that is no number is refused too.
        if not part.skill >= minimum:
            yield f"{told} is below the minimum of {minimum:g}"
        best = champion.get(name)
        if best and not part.skill >= best.skill - margin:
            yield f"{told} is worse than the champion's {best.skill:.3f} by more than {margin:g}"


def champion_slices(folder: Path, rows: pd.DataFrame) -> tuple[dict[str, Slice], str]:
    """How good the champion is on the same rows, and a line that says so or why not."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return {}, "no champion yet: judged by the limits alone"
    try:
        champion = load(folder)
        if champion.schema.shape != SCHEMA.shape:
            raise ModelError("it was made for another schema")
        if champion.facts.features_sha256 != FEATURES:
            raise ModelError("it was made for another features.py")
        if champion.facts.golden_fingerprint != golden.fingerprint(rows):
            raise ModelError("it may have been trained on these golden rows")
        best = measure(champion, rows)
    except ModelError as error:
        return {}, f"not compared with the champion: {error}"
    return best, f"compared with the champion {champion.facts.commit[:12]}: {best[ALL].skill:.3f}"


def hold(candidate: Path, champion: Path, limits: Limits) -> tuple[Report, list[dict[str, object]]]:
    """Judge the model in one folder against the one in the other: the verdict and its answers.

    Raises FileNotFoundError without a golden dataset and ModelError without a candidate.
    """
    rows = golden.read()
    report = Report(limits, len(rows), golden.fingerprint(rows))
    try:
        model = load(candidate)
    except ModelError as error:
        if not (candidate / "model.onnx").exists():
            raise
        report.reasons = [str(error)]
        return report, []
    report.model_sha256 = model.facts.model_sha256
    report.reasons = list(objections(model, rows))
    if report.reasons:
        return report, []
    report.slices = slices = measure(model, rows)
    report.skill = slices[ALL].skill
    best, report.note = champion_slices(champion, rows)
    report.champion = best.get(ALL)
    report.reasons = list(judge(slices, best, limits))
    report.accepted = not report.reasons
    return report, model.answers(golden.columns(rows))


def main() -> int:
    parser = argparse.ArgumentParser(description="Judge a model on the golden dataset.")
    parser.add_argument("--model", type=Path, default=ARTIFACTS, help="folder of the candidate")
    parser.add_argument("--champion", type=Path, default=Path(".state/champion"), help="its folder")
    parser.add_argument("--report", type=Path, default=Path(".state/gate"), help="where to write")
    options = parser.parse_args()
    try:
        limits = limits_of(Path("pyproject.toml"))
        report, answers = hold(options.model, options.champion, limits)
    except (FileNotFoundError, ModelError, ValueError, KeyError, TypeError) as error:
        print(golden.why(error, "make golden train", [golden.GOLDEN]), file=sys.stderr)
        return 2
    options.report.mkdir(parents=True, exist_ok=True)
    (options.report / "report.md").write_text(report.markdown(), "utf-8")
    rows = {"rows": golden.features(golden.read()), "predictions": answers}
    for name, content in {"report": asdict(report), "golden": rows}.items():
        (options.report / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    print("\n".join(report.lines()))
    return 0 if report.accepted else 1


if __name__ == "__main__":
    sys.exit(main())
