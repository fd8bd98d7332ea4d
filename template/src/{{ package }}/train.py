"""Train the model: rows in, `model.onnx` and `model.json` out. This file and `data.py` are yours.

The same commit, seed, locked libraries and kind of processor give the same bytes. What is yours to
change are `estimator` and, for a model that is not scikit-learn's, `fit` and `to_onnx`.
"""

import argparse
import contextlib
import functools
import subprocess
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn.feature_extraction.text as texts
from skl2onnx import to_onnx as convert
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from . import faults, golden
from .data import SCHEMA
from .gate import ALL, METRIC, answered, limits_of, measure
from .golden import Target
from .metrics import metric_of
from .model import (
    ARTIFACTS,
    INPUT,
    ONNX,
    Facts,
    Files,
    Model,
    ModelError,
    hashes,
    identity,
    save,
    seen,
)

# An export in float32 is not the float64 model: an answer may be off by so much of a probability,
# or of the target's standard deviation, and this share of the rows may be further off.
OFF, OFTEN = 0.01, 0.01


def estimator(seed: int) -> Any:
    """The model before it has seen any data."""
    return make_pipeline(StandardScaler(), LogisticRegression(random_state=seed))


def fit(table: pd.DataFrame, target: Target, seed: int) -> Any:
    """Learn from the columns that the model sees and the target [rows]."""
    with threadpool_limits(1):  # sums must not depend on the number of cores
        return estimator(seed).fit(table, target.astype(int) if SCHEMA.classes else target)


def to_onnx(fitted: Any, table: pd.DataFrame) -> bytes:
    """The fitted model as ONNX; out come prediction and probabilities.

    It takes all columns as one input when they are numbers, else an input a column.
    """
    # A server need not know American English to tell small letters from large ones.
    kinds = (texts.CountVectorizer, texts.TfidfVectorizer)
    options: dict[Any, Any] = {kind: {"locale": "C.UTF-8"} for kind in kinds}
    options |= {id(fitted): {"zipmap": False}} if is_classifier(fitted) else {}
    inputs: list[Any] = [(INPUT, FloatTensorType([None, table.shape[1]]))]
    if others := {*table.columns} - {*table.select_dtypes("number").columns}:
        types = {name: StringTensorType if name in others else FloatTensorType for name in table}
        inputs = [(name, kind([None, 1])) for name, kind in types.items()]
    onnx = convert(fitted, initial_types=inputs, options=options, name="model")
    # Their order follows Python's hash seed, and the bytes must not.
    imports = sorted(onnx.opset_import, key=lambda entry: str(entry.domain))
    del onnx.opset_import[:]
    onnx.opset_import.extend(imports)
    return bytes(onnx.SerializeToString(deterministic=True))


def predict(fitted: Any, table: pd.DataFrame) -> Any:
    """What the fitted model says itself: probabilities [rows, classes], or numbers."""
    return (fitted.predict_proba if SCHEMA.classes else fitted.predict)(table)


def export(fitted: Any, table: pd.DataFrame) -> Files:
    """The files of the model. Others than model.onnx are read by native.py."""
    return {ONNX: to_onnx(fitted, table)}


def compare(fitted: Any, model: Model, rows: pd.DataFrame) -> None:
    """Raise ModelError when the exported model answers real rows otherwise than the fitted one."""
    columns, _ = golden.encode(rows)
    mine = np.asarray(predict(fitted, pd.DataFrame(seen(columns)))).reshape(len(rows), -1)
    if wrong := (~np.isfinite(mine)).any(axis=1).sum():
        cause = f"the fitted model answers {wrong} of {len(rows)} rows with no finite number"
        raise ModelError(cause, "see estimator(), fit() and predict() in train.py")
    theirs = model.run(columns)[bool(SCHEMA.classes)].reshape(len(rows), -1)
    off = (np.abs(mine - theirs) / (1 if SCHEMA.classes else mine.std(axis=0) + 1e-9)).max(axis=1)
    wrong = (~(off <= OFF)).sum()
    if wrong > OFTEN * len(rows):
        cause = f"the exported model answers {wrong} of {len(rows)} rows otherwise than the fitted"
        raise ModelError(f"{cause} one, by up to {off.max():.2g}", model.see)


def halves(free: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows to fit on and, a fifth, those to validate on, told apart as SPLIT says."""
    if golden.SPLIT.kind == "time":
        held = golden.SPLIT.last(free, golden.SHARE)
    else:
        units = golden.units(free)
        _, last = train_test_split(np.unique(units), test_size=golden.SHARE, random_state=seed)
        held = np.isin(units, last)
    return free[~held], free[held]


def train(rows: pd.DataFrame, held_out: pd.DataFrame, seed: int) -> tuple[Files, Facts]:
    """Fit on four fifths of the rows that are not golden, validate on the others."""
    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    about, metric = settings["tool"]["mlops"]["model"], metric_of(SCHEMA, limits_of())
    free = golden.training_rows(rows, held_out)
    fitting, validating = halves(free, seed)
    columns, target = golden.encode(fitting)
    unseen = [name for code, name in enumerate(SCHEMA.classes) if code not in target]
    if unseen:
        cause = f"of the class {unseen[0]!r} there is no row to fit on"
        raise ModelError(cause, "bring more rows of it, or take it out of SCHEMA in data.py")
    table = pd.DataFrame(seen(columns))
    weights = [fitting[golden.SAMPLE_WEIGHT].to_numpy(float)] if golden.SAMPLE_WEIGHT else []
    fitted = fit(table, target, seed, *weights)
    files = export(fitted, table)
    facts = Facts(
        name=settings["project"]["name"],
        seed=seed,
        files=hashes(files),
        model_sha256=identity(hashes(files)),
        data_fingerprint=golden.fingerprint(rows),
        golden_fingerprint=golden.fingerprint(held_out),
        training_rows=len(fitting),
        validation={},
        example=golden.features(held_out.head(1))[0],
        schema=SCHEMA,
        threshold=about.get("threshold"),
        window=golden.SPLIT.window(held_out),
        **origin(about["expires_after_days"]),
    )
    model = Model(files, facts)
    compare(fitted, model, validating)
    part = measure(answered(model, validating), metric)[ALL]
    scores = {metric.name: part.score} | ({} if part.value is None else {METRIC: part.value})
    return files, replace(facts, validation=scores)


def origin(expires_after_days: int) -> dict[str, str]:
    """The commit that is checked out, its time, and when a model made of it should be replaced.

    The time is the commit's, so that training twice from one commit gives the same bytes.
    """
    git = functools.partial(subprocess.check_output, stderr=subprocess.DEVNULL, text=True)
    commit, seconds, changed = "unknown", "315532800", ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):  # no git, or no commit
        commit, seconds = git(["git", "log", "-1", "--format=%H %ct"]).split()
        changed = "-dirty" if git(["git", "status", "--porcelain"]) else ""
    created = datetime.fromtimestamp(int(seconds), UTC)
    times = {"created": created, "expires": created + timedelta(days=expires_after_days)}
    written = {name: time.strftime("%Y-%m-%dT%H:%M:%SZ") for name, time in times.items()}
    return {"commit": commit + changed, **written}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--seed", type=int, default=0, help="which rows validate, and randomness")
    parser.add_argument("--out", type=Path, default=ARTIFACTS, help="folder for the two files")
    options = parser.parse_args()
    with faults.told():
        files, facts = train(golden.table(), golden.read(), options.seed)
        save(options.out, files, facts)
    scores = ", ".join(f"{name} {value:.4g}" for name, value in facts.validation.items())
    print(f"trained on {facts.training_rows} rows; validation: {scores}; {facts.model_sha256[:12]}")


if __name__ == "__main__":
    main()
