"""What a row is: the features, the target, and the one check that every row passes.

Training, the gate and the server all use this. The schema is declared in `data.py`; training
writes it into `model.json`, and the server reads it from there, so that a model is always served
with the schema it was trained with. Touch this file to teach the schema a new kind of feature.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
MAX_PROBLEMS = 20  # named in one answer; the rest of a bad batch says nothing new


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
    codes: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.categories and not -1e30 < self.minimum < self.maximum < 1e30:
            raise ValueError(f"feature {self.name}: the minimum must be below the maximum")
        object.__setattr__(self, "codes", {name: i for i, name in enumerate(self.categories)})

    @property
    def rule(self) -> str:
        """What a value must be, in words."""
        if self.categories:
            return "must be one of " + ", ".join(self.categories)
        noun = "a whole number" if self.whole else "a number"
        return f"must be {noun} from {self.minimum:g} to {self.maximum:g}"

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest number that the model may see."""
        if self.categories:
            return 0.0, len(self.categories) - 1.0
        return self.minimum, self.maximum

    def encode(self, value: object) -> float | None:
        """The number that the model sees, or None when the value breaks the rule."""
        if self.categories:
            return self.codes.get(value) if isinstance(value, str) else None
        # bool is an int to Python, and NaN and infinity are in no range.
        if (type(value) is not float and type(value) is not int) or not (
            self.minimum <= value <= self.maximum
        ):
            return None
        return None if self.whole and value % 1 else value


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: which row, which field, and what it must be."""

    row: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        place = "" if self.row is None else f"row {self.row}: "
        return place + (f"{self.field} {self.message}" if self.field else self.message)


class InvalidRowsError(ValueError):
    """Rows that break the schema; `problems` names at most MAX_PROBLEMS of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = problems[:MAX_PROBLEMS]
        super().__init__("; ".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Schema:
    """The features in the model's order, and the target; no classes means regression."""

    features: tuple[Feature, ...]
    target: str
    classes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    def fits(self, other: "Schema") -> bool:
        """Whether both encode a row alike, whatever ranges they accept."""

        def shape(schema: Schema) -> object:
            columns = [(feature.name, feature.categories) for feature in schema.features]
            return columns, schema.target, schema.classes

        return shape(self) == shape(other)

    def encode(self, rows: Sequence[object]) -> Matrix:
        """Rows of named values -> float32 [rows, features]. Raises InvalidRowsError."""
        matrix, problems = [], []
        width = len(self.features)
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                problems.append(Problem(number, None, "a row must be a JSON object"))
                continue
            codes = [f.encode(row[f.name]) if f.name in row else None for f in self.features]
            if None in codes or len(row) != width:
                problems += self._problems(number, row, codes)
                if len(problems) >= MAX_PROBLEMS:
                    break
            matrix.append(codes)
        if problems:
            raise InvalidRowsError(problems)
        return np.array(matrix, dtype=np.float32).reshape(-1, width)

    def _problems(
        self, number: int, row: Mapping[str, object], codes: Sequence[float | None]
    ) -> list[Problem]:
        found = [
            Problem(number, f.name, f.rule if f.name in row else "is missing")
            for f, code in zip(self.features, codes, strict=True)
            if code is None
        ]
        unknown = sorted(set(row) - set(self.names))
        return found + [Problem(number, n[:64], "is not a field of this model") for n in unknown]

    def check(self, matrix: Matrix) -> None:
        """Raise InvalidRowsError when numbers that are already encoded break a rule."""
        low, high = np.array([f.bounds for f in self.features], dtype=np.float32).T
        whole = np.array([f.whole or bool(f.categories) for f in self.features])
        good = (low <= matrix) & (matrix <= high) & ~(whole & (matrix != np.floor(matrix)))
        if not good.all():
            raise InvalidRowsError(
                [
                    Problem(int(row), self.features[column].name, self.features[column].rule)
                    for row, column in np.argwhere(~good)[:MAX_PROBLEMS]
                ]
            )

    def grid(self, rows: int, seed: int = 0) -> Matrix:
        """Encoded rows from all over the accepted ranges, their two corners first."""
        low, high = np.array([f.bounds for f in self.features], dtype=np.float32).T
        whole = np.array([f.whole or bool(f.categories) for f in self.features])
        inside = np.random.default_rng(seed).uniform(low, high, (rows, len(low)))
        inside = np.where(whole, np.round(inside), inside)
        return np.vstack([low, high, inside]).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        features = [{k: v for k, v in asdict(f).items() if k != "codes"} for f in self.features]
        return {"features": features, "target": self.target, "classes": list(self.classes)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Schema":
        features = (
            Feature(**{**feature, "categories": tuple(feature["categories"])})
            for feature in content["features"]
        )
        return cls(tuple(features), content["target"], tuple(content["classes"]))


def plain(value: object) -> object:
    """A table's value as Python writes it: 3.0 stays 3.0, a missing value becomes None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value
