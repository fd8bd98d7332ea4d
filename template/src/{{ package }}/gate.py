"""The gate: may this model be released? It is judged on the golden dataset, never trained on.

A model must beat a trivial answer, the limits in pyproject.toml, and the best model accepted so
far within a margin, overall and on every slice that is large enough. The verdict is written for
machines (report.json), for people (report.md), and for the deploy, which compares what a server
answers over HTTP with what the model said here (golden.json). Touch this file to add a rule;
limits stand in pyproject.toml under [tool.mlops.gate].
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import golden
from .data import SCHEMA, SLICES
from .model import ARTIFACTS, Model, ModelError, load
from .provenance import pyproject
from .report import Limits, Report, judged, write
from .score import Score, score

ACCEPTED, REFUSED, USAGE = 0, 1, 2


def measure(model: Model, rows: pd.DataFrame) -> Score:
    """The score of a model on the golden rows and on each slice of them."""
    matrix, target = golden.encode(rows)
    masks: dict[str, NDArray[np.bool_]] = {
        name: np.asarray(chooses(rows), dtype=bool) for name, chooses in SLICES.items()
    }
    return score(SCHEMA, model.vectors(matrix), target, masks)


def objections(model: Model, rows: pd.DataFrame) -> Iterator[str]:
    """Why a model cannot be scored at all."""
    if model.schema != SCHEMA:
        yield "the model was trained with another schema than data.py declares: make train"
        return
    if model.facts.golden_fingerprint != golden.fingerprint(rows):
        yield "data/golden.csv changed since the training, which may have seen its rows: make train"
    where = {"golden rows": golden.encode(rows)[0], "rows in the schema's ranges": SCHEMA.grid(500)}
    for name, matrix in where.items():
        wrong = (~np.isfinite(model.vectors(matrix))).any(axis=1).sum()
        if wrong:
            yield f"not a finite number for {wrong} of {len(matrix)} {name}"


def judge(candidate: Score, champion: Score | None, limits: Limits) -> Iterator[str]:
    """Why a scored model is refused; nothing when it is accepted."""
    if not candidate.skill >= limits.min_skill:
        yield f"skill {candidate.skill:.3f} is below the minimum {limits.min_skill:.3f}"
    if champion and not candidate.skill >= champion.skill - limits.margin:
        yield (
            f"skill {candidate.skill:.3f} is worse than the champion's {champion.skill:.3f} "
            f"by more than {limits.margin:.3f}"
        )
    best = {part.name: part.skill for part in champion.slices} if champion else {}
    for part in judged(candidate, limits):
        if not part.skill >= limits.min_slice_skill:
            yield (
                f"skill {part.skill:.3f} on the slice '{part.name}' ({part.rows} rows) is below "
                f"the minimum {limits.min_slice_skill:.3f}"
            )
        before = best.get(part.name)
        if before is not None and not part.skill >= before - limits.slice_margin:
            yield (
                f"skill {part.skill:.3f} on the slice '{part.name}' ({part.rows} rows) is worse "
                f"than the champion's {before:.3f} by more than {limits.slice_margin:.3f}"
            )


def hold(candidate: Path, champion: Path, limits: Limits) -> tuple[Report, Model | None]:
    """Judge the model in one folder against the golden dataset and the champion in the other.

    Raises FileNotFoundError without a golden dataset or a candidate.
    """
    rows = golden.read()
    report = Report(limits, len(rows), golden.fingerprint(rows))
    try:
        model = load(candidate)
    except ModelError as error:
        if not (candidate / "model.onnx").exists():
            raise
        return report.refuse(str(error)), None
    report = report.about(model.facts.model_sha256)
    reasons = list(objections(model, rows))
    if reasons:
        return report.refuse(*reasons), model
    scored = measure(model, rows)
    best, note = champion_score(champion, rows)
    return report.judge(scored, best, note, list(judge(scored, best, limits))), model


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


def main() -> int:
    parser = argparse.ArgumentParser(description="Judge a model on the golden dataset.")
    parser.add_argument("--model", type=Path, default=ARTIFACTS, help="folder of the candidate")
    parser.add_argument("--champion", type=Path, default=Path(".state/champion"), help="its folder")
    parser.add_argument("--report", type=Path, default=Path(".state/gate"), help="where to write")
    options = parser.parse_args()
    try:
        limits = Limits(**pyproject()["tool"]["mlops"]["gate"])
        report, model = hold(options.model, options.champion, limits)
        rows = golden.read()
    except (FileNotFoundError, ModelError, ValueError, KeyError, TypeError) as error:
        remedy = getattr(error, "remedy", "make golden train")
        print(f"error: {error}\n  try: {remedy}", file=sys.stderr)
        return USAGE
    predictions = model.answers(golden.encode(rows)[0]) if model and report.accepted else []
    write(options.report, report, golden.features(rows), predictions)
    for line in report.lines():
        print(line)
    return ACCEPTED if report.accepted else REFUSED


if __name__ == "__main__":
    sys.exit(main())
