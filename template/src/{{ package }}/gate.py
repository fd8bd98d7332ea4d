"""The gate: may this model be released? It is judged on the golden dataset, never trained on.

A model must beat a trivial answer, the limits in pyproject.toml, and the best model accepted so
far within a margin, overall and on every slice that is large enough. The verdict is written for
machines (report.json), for people (report.md), and for the deploy, which compares what a server
answers with what the model said here (golden.json). Touch this file to add a rule.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from . import golden
from .data import SCHEMA, SLICES
from .model import ARTIFACTS, Model, ModelError, load
from .score import Score, Slice, score

ACCEPTED, REFUSED, USAGE = 0, 1, 2


@dataclass(frozen=True)
class Limits:
    """[tool.mlops.gate] in pyproject.toml."""

    min_skill: float  # on all golden rows
    min_slice_skill: float  # on the worst slice
    margin: float  # how much skill may be lost against the champion
    slice_margin: float  # the same on any one slice
    min_slice_rows: int  # smaller slices are reported, not judged


def limits_of(pyproject: Path) -> Limits:
    return Limits(**tomllib.loads(pyproject.read_text("utf-8"))["tool"]["mlops"]["gate"])


@dataclass(frozen=True)
class Report:
    """The verdict and what led to it, as report.json has it."""

    limits: Limits
    golden_rows: int
    golden_fingerprint: str
    accepted: bool = False
    reasons: tuple[str, ...] = ()
    note: str = "not compared with a champion"
    model_sha256: str | None = None
    skill: float | None = None
    slices: tuple[Slice, ...] = ()
    worst_slice: Slice | None = None
    metric: str = ""
    value: float | None = None
    champion: Score | None = None

    def lines(self) -> list[str]:
        """The verdict for a terminal: the result, then each reason on a line of its own."""
        head = f"{'accepted' if self.accepted else 'refused'} on {self.golden_rows} golden rows"
        if self.skill is not None:
            head += f": skill {self.skill:.3f}, {self.metric} {self.value:.4g}"
        return [head, self.note, *self.reasons]

    def markdown(self) -> str:
        """The verdict as a page, for a pull request."""
        title, *rest = self.lines()
        lines = [f"## Gate: {title}", "", *(f"- {line}" for line in rest), ""]
        if self.skill is not None:
            rows = [Slice("all", self.golden_rows, self.skill), *self.slices]
            best = _skills(self.champion)
            lines += ["| rows | number | skill | champion |", "|---|--:|--:|--:|"]
            for row in rows:
                before = f"{best[row.name]:.3f}" if row.name in best else ""
                lines.append(f"| {row.name} | {row.rows} | {row.skill:.3f} | {before} |")
            lines += ["", "Skill: 1 is perfect, 0 no better than the best constant answer.", ""]
        return "\n".join([*lines, f"Model `{self.model_sha256}`", ""])


def measure(model: Model, rows: pd.DataFrame) -> Score:
    """The score of a model on the golden rows and on each slice of them."""
    matrix, target = golden.encode(rows)
    masks = {name: np.asarray(chooses(rows), dtype=bool) for name, chooses in SLICES.items()}
    return score(SCHEMA, model.vectors(matrix), target, masks)


def objections(model: Model, rows: pd.DataFrame) -> Iterator[str]:
    """Why a model cannot be scored at all."""
    if model.schema != SCHEMA:
        yield "the model was trained with another schema than data.py declares: make train"
        return
    if model.facts.golden_fingerprint != golden.fingerprint(rows):
        yield "data/golden.csv changed since the training, which may have seen its rows: make train"
    tried = {"golden rows": golden.encode(rows)[0], "rows in accepted ranges": SCHEMA.sample(500)}
    for name, matrix in tried.items():
        wrong = (~np.isfinite(model.vectors(matrix))).any(axis=1).sum()
        if wrong:
            yield f"the answer is not a finite number for {wrong} of {len(matrix)} {name}"


def judge(scored: Score, champion: Score | None, limits: Limits) -> Iterator[str]:
    """Why a scored model is refused; nothing when it is accepted."""
    rules = {"all": (limits.min_skill, limits.margin)}
    for part in scored.slices:
        if part.rows >= limits.min_slice_rows:
            rules[part.name] = (limits.min_slice_skill, limits.slice_margin)
    skills, best = _skills(scored), _skills(champion)
    for name, (minimum, margin) in rules.items():
        told = f"skill {skills[name]:.3f}" + (f" on the slice '{name}'" if name != "all" else "")
        # Written so that a skill that is no number is refused too.
        if not skills[name] >= minimum:
            yield f"{told} is below the minimum of {minimum:g}"
        if name in best and not skills[name] >= best[name] - margin:
            yield f"{told} is worse than the champion's {best[name]:.3f} by more than {margin:g}"


def _skills(scored: Score | None) -> dict[str, float]:
    parts = {part.name: part.skill for part in scored.slices} if scored else {}
    return {**parts, "all": scored.skill} if scored else {}


def champion_score(folder: Path, rows: pd.DataFrame) -> tuple[Score | None, str]:
    """The champion scored on the same rows, and a line that says so or why not."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None, "no champion yet: judged by the limits alone"
    try:
        champion = load(folder)
    except ModelError as error:
        return None, f"not compared with the champion: {error}"
    if champion.schema.shape != SCHEMA.shape:
        return None, "not compared with the champion: it was made for another schema"
    if champion.facts.golden_fingerprint != golden.fingerprint(rows):
        return None, "not compared with the champion: it may have been trained on these golden rows"
    return measure(champion, rows), f"compared with the champion {champion.facts.commit[:12]}"


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
        return replace(report, reasons=(str(error),)), []
    report = replace(report, model_sha256=model.facts.model_sha256)
    if reasons := tuple(objections(model, rows)):
        return replace(report, reasons=reasons), []
    scored = measure(model, rows)
    best, note = champion_score(champion, rows)
    reasons = tuple(judge(scored, best, limits))
    large = [part for part in scored.slices if part.rows >= limits.min_slice_rows]
    worst = min(large, key=lambda part: part.skill, default=None)
    report = replace(report, **vars(scored), champion=best, note=note, worst_slice=worst)
    report = replace(report, reasons=reasons, accepted=not reasons)
    return report, model.answers(golden.encode(rows)[0])


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
        remedy = getattr(error, "remedy", "make golden train")
        print(f"error: {error}\n  try: {remedy}", file=sys.stderr)
        return USAGE
    options.report.mkdir(parents=True, exist_ok=True)
    (options.report / "report.md").write_text(report.markdown(), "utf-8")
    rows = {"rows": golden.features(golden.read()), "predictions": answers}
    for name, content in {"report": asdict(report), "golden": rows}.items():
        (options.report / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    print("\n".join(report.lines()))
    return ACCEPTED if report.accepted else REFUSED


if __name__ == "__main__":
    sys.exit(main())
