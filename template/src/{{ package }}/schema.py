"""What a row is: the features, the target, and the one check that every row passes.

Training, the gate and the server all use this. The schema is declared in `data.py`; training
writes it into `model.json`, and the server reads it from there, so that a model is always served
with the schema it was trained with. Touch this file to teach the schema a new kind of feature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
MAX_PROBLEMS = 20  # named in one answer; the rest of a bad batch says nothing new


class InvalidRowsError(ValueError):
    """Rows that break the schema. Each problem names its row, its field, and what is wrong."""

    def __init__(self, problems: Sequence[Mapping[str, object]]) -> None:
        self.problems = problems[:MAX_PROBLEMS]
        super().__init__(
            "; ".join("row {row}: {field} {message}".format(**p) for p in problems[:3])
        )


@dataclass(frozen=True)
class Feature:
    """One input of the model.

    A number has a plausible range, ends included: wider than the data, narrow enough to catch a
    wrong unit. A category has the list of its values, and the model sees a value's place in it.
    """

    name: str
    description: str = ""
    minimum: float = 0.0
    maximum: float = 0.0
    whole: bool = False  # only whole numbers
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))
        if not self.categories and not -1e30 < self.minimum < self.maximum < 1e30:
            raise ValueError(f"feature {self.name}: the minimum must be below the maximum")

    @cached_property
    def codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.categories)}

    @property
    def rule(self) -> str:
        """What a value must be, in words."""
        if self.categories:
            return "must be one of " + ", ".join(self.categories)
        noun = "a whole number" if self.whole else "a number"
        return f"must be {noun} from {self.minimum:g} to {self.maximum:g}"

    def encode(self, value: object) -> float | None:
        """The number that the model sees, or None when the value breaks the rule."""
        if self.categories:
            return self.codes.get(value) if isinstance(value, str) else None
        # bool is an int to Python, and NaN and infinity are in no range.
        if (type(value) is float or type(value) is int) and self.minimum <= value <= self.maximum:
            return None if self.whole and value % 1 else value
        return None


@dataclass(frozen=True)
class Schema:
    """The features in the model's order, and the target; no classes means regression."""

    features: tuple[Feature, ...]
    target: str
    classes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Schema":
        """The inverse of dataclasses.asdict."""
        features = tuple(Feature(**feature) for feature in content["features"])
        return cls(features, content["target"], tuple(content["classes"]))

    @cached_property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @cached_property
    def _rules(self) -> Matrix:
        """For each feature as the model sees it: smallest, largest, whether whole."""
        rules = [
            (0, len(f.categories) - 1, True) if f.categories else (f.minimum, f.maximum, f.whole)
            for f in self.features
        ]
        return np.array(rules, dtype=np.float32).T

    @property
    def shape(self) -> object:
        """What two schemas share that encode a row alike, whatever ranges they accept."""
        return [(f.name, f.categories) for f in self.features], self.target, self.classes

    def encode(self, rows: Sequence[object]) -> Matrix:
        """Rows of named values -> float32 [rows, features]. Raises InvalidRowsError."""
        matrix, problems = [], []
        width = len(self.features)
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                problems.append(_problem(number, None, "a row must be a JSON object"))
                continue
            codes = [f.encode(row[f.name]) if f.name in row else None for f in self.features]
            matrix.append(codes)
            if None in codes or len(row) != width:
                problems += self._explain(number, row, codes)
                if len(problems) >= MAX_PROBLEMS:
                    break
        if problems:
            raise InvalidRowsError(problems)
        return np.array(matrix, dtype=np.float32).reshape(-1, width)

    def _explain(
        self, number: int, row: Mapping[str, object], codes: Sequence[float | None]
    ) -> list[dict[str, object]]:
        found = [
            _problem(number, f.name, f.rule if f.name in row else "is missing")
            for f, code in zip(self.features, codes, strict=True)
            if code is None
        ]
        unknown = sorted(set(row) - set(self.names))
        return found + [_problem(number, n[:64], "is not a field of this model") for n in unknown]

    def check(self, matrix: Matrix) -> None:
        """Raise InvalidRowsError when numbers that are already encoded break a rule."""
        low, high, whole = self._rules
        bad = ~((low <= matrix) & (matrix <= high)) | ((whole > 0) & (matrix != np.floor(matrix)))
        if bad.any():
            places = ((int(row), self.features[column]) for row, column in np.argwhere(bad))
            raise InvalidRowsError([_problem(row, f.name, f.rule) for row, f in places])

    def sample(self, rows: int) -> Matrix:
        """Encoded rows from all over the accepted ranges, after their two corners."""
        low, high, whole = self._rules
        inside = np.random.default_rng(0).uniform(low, high, (rows, len(low)))
        inside = np.where(whole > 0, np.round(inside), inside)
        return np.vstack([low, high, inside]).astype(np.float32)


def _problem(row: int | None, field: str | None, message: str) -> dict[str, object]:
    return {"field": field, "row": row, "message": message}
