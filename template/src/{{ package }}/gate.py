"""The gate: may this model be released? It is judged on the golden dataset, never trained on.

A model must beat a trivial answer, the limits in pyproject.toml ([tool.mlops.gate]), and the best
model accepted so far within a margin, overall and on every slice that is large enough. The verdict
is written for machines (report.json), for people (report.md), and for the deploy, which compares
what a server answers with what the model said here (golden.json). Touch this file to add a rule.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from . import golden
from .data import SCHEMA, SLICES
from .model import ARTIFACTS, Model, ModelError, load
from .provenance import pyproject
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


@dataclass(frozen=True)
class Report:
    """The verdict, and what led to it."""

    limits: Limits
    golden_rows: int
    golden_fingerprint: str
    model_sha256: str | None = None
    score: Score | None = None
    champion: Score | None = None
    note: str = "not compared with a champion"
    reasons: tuple[str, ...] = ()

    def judged(self) -> list[Slice]:
        """The slices that have rows enough to be judged."""
        least = max(1, self.limits.min_slice_rows)
        return [part for part in self.score.slices if part.rows >= least] if self.score else []

    def lines(self) -> list[str]:
        """The verdict for a terminal: the result, then each reason on a line of its own."""
        head = f"{'refused' if self.reasons else 'accepted'} on {self.golden_rows} golden rows"
        if self.score:
            head += f": skill {self.score.skill:.3f}, {self.score.metric} {self.score.value:.4g}"
        return [head, self.note, *self.reasons]


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
    tried = {
        "golden rows": golden.encode(rows)[0],
        "rows in the accepted ranges": SCHEMA.sample(500),
    }
    for name, matrix in tried.items():
        wrong = (~np.isfinite(model.vectors(matrix))).any(axis=1).sum()
        if wrong:
            yield f"the answer is not a finite number for {wrong} of {len(matrix)} {name}"


def judge(report: Report, scored: Score) -> Iterator[str]:
    """Why a scored model is refused; nothing when it is accepted."""
    limits, best = report.limits, report.champion
    before = {part.name: part.skill for part in best.slices} if best else {}
    yield from _compare(
        "", scored.skill, limits.min_skill, best.skill if best else None, limits.margin
    )
    for part in report.judged():
        place = f" on the slice '{part.name}' ({part.rows} rows)"
        yield from _compare(
            place, part.skill, limits.min_slice_skill, before.get(part.name), limits.slice_margin
        )


def _compare(
    place: str, skill: float, minimum: float, best: float | None, margin: float
) -> Iterator[str]:
    # Written so that a skill that is no number is refused too.
    if not skill >= minimum:
        yield f"skill {skill:.3f}{place} is below the minimum of {minimum:g}"
    if best is not None and not skill >= best - margin:
        lost = f"worse than the champion's {best:.3f} by more than {margin:g}"
        yield f"skill {skill:.3f}{place} is {lost}"


def champion_score(folder: Path, rows: pd.DataFrame) -> tuple[Score | None, str]:
    """The champion scored on the same rows, and a line that says so or why not."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None, "no champion yet: judged by the limits alone"
    try:
        champion = load(folder)
    except ModelError as error:
        return None, f"not compared with the champion: {error}"
    if not champion.schema.fits(SCHEMA):
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
    best, note = champion_score(champion, rows)
    scored = measure(model, rows)
    report = replace(report, score=scored, champion=best, note=note)
    answers = model.answers(golden.encode(rows)[0])
    return replace(report, reasons=tuple(judge(report, scored))), answers


def to_json(report: Report) -> dict[str, object]:
    """The report as the pipeline reads it."""
    content = asdict(report)
    scored = content.pop("score") or {"skill": None, "slices": []}
    worst = min(report.judged(), key=lambda part: part.skill, default=None)
    content["worst_slice"] = asdict(worst) if worst else None
    return {"accepted": not report.reasons, **content, **scored}


def markdown(report: Report) -> str:
    """The report as a page, for a pull request."""
    title, *rest = report.lines()
    lines = [f"## Gate: {title}", "", *(f"- {line}" for line in rest), ""]
    if report.score:
        best = dict[str, float]()
        if report.champion:
            best = {part.name: part.skill for part in report.champion.slices}
            best["all"] = report.champion.skill
        lines += ["| rows | number | skill | champion |", "|---|--:|--:|--:|"]
        parts = [(part.name, part.rows, part.skill) for part in report.score.slices]
        for name, rows, skill in [("all", report.golden_rows, report.score.skill), *parts]:
            before = f"{best[name]:.3f}" if name in best else ""
            lines.append(f"| {name} | {rows} | {skill:.3f} | {before} |")
        lines += ["", "Skill: 1 is perfect, 0 is no better than the best constant answer.", ""]
    return "\n".join([*lines, f"Model `{report.model_sha256}`", ""])


def write(
    folder: Path,
    report: Report,
    rows: Sequence[Mapping[str, object]],
    answers: Sequence[Mapping[str, object]],
) -> None:
    """Write report.json, report.md and golden.json: rows, and what a server must answer them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(markdown(report), "utf-8")
    told = {"report": to_json(report), "golden": {"rows": rows, "predictions": answers}}
    for name, content in told.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Judge a model on the golden dataset.")
    parser.add_argument("--model", type=Path, default=ARTIFACTS, help="folder of the candidate")
    parser.add_argument("--champion", type=Path, default=Path(".state/champion"), help="its folder")
    parser.add_argument("--report", type=Path, default=Path(".state/gate"), help="where to write")
    options = parser.parse_args()
    try:
        limits = Limits(**pyproject()["tool"]["mlops"]["gate"])
        report, answers = hold(options.model, options.champion, limits)
    except (FileNotFoundError, ModelError, ValueError, KeyError, TypeError) as error:
        remedy = getattr(error, "remedy", "make golden train")
        print(f"error: {error}\n  try: {remedy}", file=sys.stderr)
        return USAGE
    write(options.report, report, golden.features(golden.read()), answers)
    print("\n".join(report.lines()))
    return REFUSED if report.reasons else ACCEPTED


if __name__ == "__main__":
    sys.exit(main())
