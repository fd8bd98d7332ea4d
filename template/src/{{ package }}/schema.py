"""What a row is: the features, the target, and the one check that every row passes.

It is declared in `data.py`; training writes it into `model.json`, and the server reads it from
there: a model is served with the schema it was trained with. Touch this file for a new kind of
feature.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

Matrix = NDArray[np.float32]
Problem = tuple[int, str | None, str]  # the number of the row, the field, what is wrong
MAX_PROBLEMS = 20  # named in one answer; the rest of a bad batch says nothing new


class InvalidRowsError(ValueError):
    """Rows that break the schema. Each problem names its row, its field, and what is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        names = ("row", "field", "message")
        self.problems = [dict(zip(names, p, strict=True)) for p in problems[:MAX_PROBLEMS]]
        super().__init__("; ".join(f"row {row}: {name} {what}" for row, name, what in problems[:3]))


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
        if not self.categories and not -1e30 < self.minimum < self.maximum < 1e30:
            raise ValueError(f"feature {self.name}: the minimum must be below the maximum")

    @property
    def rule(self) -> str:
        """What a value must be, in words."""
        if self.categories:
            return "must be one of " + ", ".join(self.categories)
        noun = "a whole number" if self.whole else "a number"
        return f"must be {noun} from {self.minimum:g} to {self.maximum:g}"

    @property
    def json_schema(self) -> dict[str, Any]:
        """The same rule for the API documentation."""
        told = {"description": self.description}
        if self.categories:
            return told | {"type": "string", "enum": self.categories}
        kind = "integer" if self.whole else "number"
        return told | {"type": kind, "minimum": self.minimum, "maximum": self.maximum}

    def encode(self, value: object) -> float | None:
        """The number that the model sees, or None when the value breaks the rule."""
        if self.categories:
            return self.categories.index(value) if value in self.categories else None
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

    @cached_property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @property
    def shape(self) -> object:
        """What two schemas share that encode a row alike, whatever ranges they accept."""
        return [(f.name, f.categories) for f in self.features], self.target, self.classes

    def encode(self, rows: Sequence[object]) -> Matrix:
        """Rows of named values -> float32 [rows, features]. Raises InvalidRowsError."""
        matrix, problems = [], list[Problem]()
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                problems.append((number, None, "a row must be a JSON object"))
                continue
            codes = [f.encode(row.get(f.name)) for f in self.features]
            matrix.append(codes)
            if None in codes or len(row) != len(codes):
                bad = [f for f in self.features if f.encode(row.get(f.name)) is None]
                told = {f.name: f.rule if f.name in row else "is missing" for f in bad}
                unknown = sorted(set(row) - set(self.names))
                told |= {name[:64]: "is not a field of this model" for name in unknown}
                problems += [(number, name, message) for name, message in told.items()]
        if problems:
            raise InvalidRowsError(problems)
        return np.array(matrix, dtype=np.float32).reshape(-1, len(self.features))

    @cached_property
    def rules(self) -> Matrix:
        """float32 [3, features]: the smallest, the largest, and whether only whole numbers."""
        low = [0 if f.categories else f.minimum for f in self.features]
        high = [len(f.categories) - 1 if f.categories else f.maximum for f in self.features]
        whole = [f.whole or bool(f.categories) for f in self.features]
        return np.array([low, high, whole], dtype=np.float32)

    def check(self, matrix: Matrix) -> None:
        """Raise InvalidRowsError when numbers that are already encoded break a rule."""
        low, high, whole = self.rules
        bad = ~((low <= matrix) & (matrix <= high)) | ((whole > 0) & (matrix != np.floor(matrix)))
        if bad.any():
            places = ((int(row), self.features[column]) for row, column in np.argwhere(bad))
            raise InvalidRowsError([(row, f.name, f.rule) for row, f in places])
