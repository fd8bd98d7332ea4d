"""How good a model is: one formula for classes and for numbers.

    skill = 1 - mean squared error / mean squared error of the best constant answer

For classes the squared error is that of the vector of probabilities, and skill is the Brier skill
score (Brier 1950, Monthly Weather Review 78, 1-3; Murphy 1988, Monthly Weather Review 116,
2417-2424). For numbers it is R squared. 1 is perfect, 0 no better than always answering the
frequencies of the classes, or the mean; below 0 is worse than that. Because probabilities count,
a model that is wrong with confidence loses more than one that is unsure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .model import one_hot
from .schema import Schema


@dataclass(frozen=True)
class Slice:
    """The skill on a part of the rows."""

    name: str
    rows: int
    skill: float


@dataclass(frozen=True)
class Score:
    """The skill on all rows and on each slice, and a number that people know."""

    skill: float
    slices: tuple[Slice, ...]
    metric: str  # "accuracy", or "mean absolute error" in units of the target
    value: float


def score(
    schema: Schema,
    said: NDArray[np.float64],
    target: NDArray[np.float64],
    slices: Mapping[str, NDArray[np.bool_]] | None = None,
) -> Score:
    """Score what a model said, [rows, classes] or [rows, 1], against the target [rows].

    A slice's own error is held against the reference of all rows; an empty one is left out.
    Raises ValueError when the target is the same in every row, as skill has no meaning then.
    """
    actual = one_hot(target, len(schema.classes)) if schema.classes else target.reshape(-1, 1)
    errors = ((said - actual) ** 2).sum(axis=1)
    reference = ((actual.mean(axis=0) - actual) ** 2).sum(axis=1).mean()
    if not reference > 0:
        raise ValueError("every row has the same target, so no model can show skill")
    parts = (
        Slice(name, int(mask.sum()), float(1 - errors[mask].mean() / reference))
        for name, mask in (slices or {}).items()
        if mask.any()
    )
    if schema.classes:
        metric, value = "accuracy", (said.argmax(axis=1) == target).mean()
    else:
        metric, value = "mean absolute error", np.abs(said - actual).mean()
    return Score(float(1 - errors.mean() / reference), tuple(parts), metric, float(value))
