"""What a row is: the features, the target, and the one check that every row passes.

It is declared in `data.py`; training writes it into `model.json`, and the server reads it from
there: a model is served with the schema it was trained with. A table, a request and a set of
tensors all become the same columns here. Touch this file for a new kind of feature.
"""

import contextlib
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import chain, compress
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

# By feature, a value a row. A gap is None in texts, and NaN in all that can be a number.
Columns = dict[str, NDArray[Any]]
Problem = tuple[int, str | None, str]  # the number of the row, the field, what is wrong
Kind = Literal["number", "code", "category", "boolean", "timestamp", "text", "vector"]
MAX_PROBLEMS = 20  # named in one answer; the rest of a bad batch says nothing new
FEW = 50  # rows that are read one by one
EXACT = 2.0**53  # up to here a float64 holds every whole number
HUGE = 1e30  # no number is as large
YEARS = 62135596800.0  # seconds from the year 1 to 1970, and so to 3938
OTHER = "other"  # what a value beside the categories becomes
BAD: Final = object()  # in place of a value that breaks the rule


class InvalidRowsError(ValueError):
    """Rows that break the schema. Each problem names its row, its field, and what is wrong."""

    remedy = "correct load() or SCHEMA in data.py"

    def __init__(self, problems: Sequence[Problem]) -> None:
        names = ("row", "field", "message")
        self.problems = [dict(zip(names, p, strict=True)) for p in problems[:MAX_PROBLEMS]]
        super().__init__("; ".join(f"row {row}: {name} {what}" for row, name, what in problems[:3]))


@dataclass(frozen=True)
class Feature:
    """One input of the model, as `Number` and the others below make it.

    A number has a plausible range, ends included: wider than the data, narrow enough to catch a
    wrong unit. A category has the list of its values; made by `Feature` itself it is a code, of
    which the model sees the place in that list.
    """

    name: str
    description: str = ""
    minimum: float = 0.0
    maximum: float = 0.0
    whole: bool = False  # only whole numbers
    categories: tuple[str, ...] = ()
    missing: bool = False  # may be null, or left out
    other: bool = False  # any text is taken, and OTHER when it is none of the categories
    kind: Kind = "number"
    longest: int = 0  # characters of a text
    length: int = 0  # of a vector

    def __post_init__(self) -> None:
        if self.categories and self.kind == "number":
            object.__setattr__(self, "kind", "code")
        limit = EXACT if self.whole else HUGE
        if self.kind == "number" and not -limit <= self.minimum < self.maximum <= limit:
            raise ValueError(f"feature {self.name}: the minimum must be below the maximum")
        if self.other and (OTHER in self.categories or not self.categories):
            raise ValueError(f"feature {self.name}: {OTHER!r} stands for what is no category")

    @property
    def rule(self) -> str:
        """What a value must be, in words."""
        noun = "a whole number" if self.whole else "a number"
        text = "a text" if self.other else "one of " + ", ".join(self.categories)
        said = {
            "number": f"{noun} from {self.minimum:.16g} to {self.maximum:.16g}",
            "boolean": "true or false",
            "timestamp": "a time such as 2026-02-28T12:00:00+01:00, with its offset",
            "text": f"a text of at most {self.longest} characters",
            "vector": f"a list of {self.length} finite numbers",
        }.get(self.kind, text)
        return f"must be {said}{', or null' if self.missing else ''}"

    @property
    def json_schema(self) -> dict[str, Any]:
        """The same rule for the API documentation."""
        told: dict[str, Any] = {"type": "string"}
        if self.kind == "number":
            told = {"type": "integer" if self.whole else "number"}
            told |= {"minimum": self.minimum, "maximum": self.maximum}
        elif self.categories and not self.other:
            told["enum"] = self.categories
        elif self.kind == "timestamp":
            told["format"] = "date-time"
        elif self.kind == "text":
            told["maxLength"] = self.longest
        elif self.kind == "boolean":
            told["type"] = "boolean"
        elif self.kind == "vector":
            told = {"type": "array", "items": {"type": "number"}}
            told |= dict.fromkeys(("minItems", "maxItems"), self.length)
        told = {"anyOf": [told, {"type": "null"}]} if self.missing else told
        return {"description": self.description} | told

    @property
    def ends(self) -> tuple[Any, Any]:
        """Two values as far apart as they may be, as a client sends them."""
        if self.categories:
            return self.categories[0], self.categories[-1]
        low, high = self.minimum, self.maximum
        return {
            "boolean": (False, True),
            "timestamp": ("1970-01-01T00:00:00+00:00", "2069-12-31T23:59:59+00:00"),
            "text": ("a", "a" * self.longest),
            "vector": ([0.0] * self.length, [1.0] * self.length),
        }.get(self.kind, (int(low), int(high)) if self.whole else (low, high))

    def read(self, value: object) -> Any:
        """A value as a client sends it -> as its column holds it; BAD when it breaks the rule."""
        if self.kind == "number":
            # bool is an int to Python, and NaN and infinity are in no range.
            if (type(value) is float or type(value) is int) and (
                self.minimum <= value <= self.maximum
            ):
                return BAD if self.whole and value % 1 else value
            return math.nan if self.missing and value is None else BAD
        if value is None or (value == "" and self.missing):
            gap = None if self.kind in ("category", "text") else math.nan
            return gap if self.missing else BAD
        if self.kind == "boolean":
            return value if type(value) is bool else BAD
        if self.kind == "vector":
            given: Any = value if type(value) is list and len(value) == self.length else [None]
            fits = {*map(type, given)} <= {int, float} and max(map(abs, given), default=0) < HUGE
            return value if fits else BAD
        if type(value) is not str:
            return BAD
        if self.kind == "code":
            return self.categories.index(value) if value in self.categories else BAD
        if self.kind == "category":
            return value if value in self.categories else OTHER if self.other else BAD
        if self.kind == "text":
            return value if len(value) <= self.longest else BAD
        return _seconds(value)

    def write(self, value: Any) -> Any:
        """What a client would send for what a column holds: `read`, backwards."""
        if value is None or value != value:
            return None
        if self.kind == "timestamp":
            return datetime.fromtimestamp(value, UTC).isoformat()
        if self.kind == "code":
            return self.categories[int(value)]
        if self.kind == "boolean":
            return bool(value)
        return int(value) if self.whole else value

    def written(self, values: list[Any]) -> list[Any]:
        """`write` of many values; all but numbers are few, and are written once."""
        if self.kind in ("number", "vector") and not self.whole:
            return [None if value != value else value for value in values]
        known = {value: self.write(value) for value in {*values}}
        return [known[value] for value in values]

    def many(self, values: list[Any]) -> NDArray[Any] | None:
        """Values as a client sends them -> their column; None when one of them breaks the rule."""
        kinds = {*map(type, values)} - {type(None)}
        if self.kind == "number" and kinds <= {int, float}:
            with contextlib.suppress(OverflowError):
                column = np.array(values, np.float64)
                gaps = np.isnan(column).sum() == values.count(None)  # NaN itself is none
                if gaps and not (self.broken(column) | (np.abs(column) >= EXACT)).any():
                    return column
        known = {}
        if kinds in ({str}, {bool}):  # each is read once
            known = {value: self.read(value) for value in {*values}}
        read = [known[value] for value in values] if known else [*map(self.read, values)]
        return None if any(value is BAD for value in known.values() or read) else self.column(read)

    def column(self, values: Sequence[Any]) -> NDArray[Any]:
        """Values that were read -> [rows], or [rows, length] of a vector."""
        if self.kind == "vector":
            return np.array(values, np.float32).reshape(-1, self.length)
        if self.kind in ("category", "text"):
            return np.array(values, object)
        return np.array(values, bool if self.kind == "boolean" and not self.missing else np.float64)

    def broken(self, column: NDArray[Any]) -> NDArray[np.bool_]:
        """Which values of a column break the rule [rows]: NaN and None are gaps."""
        if self.kind == "vector":
            return np.asarray(~(np.abs(column) < HUGE).all(axis=1))
        if column.dtype == object:
            return np.zeros(len(column), bool)  # texts were read, every one
        low, high = self.minimum, self.maximum
        if self.kind == "timestamp":
            low, high = -YEARS, YEARS
        elif self.kind != "number":
            low, high = 0, len(self.categories or (False, True)) - 1
        bad = ~((low <= column) & (column <= high))
        bad |= (column != np.floor(column)) & (self.whole or self.kind in ("boolean", "code"))
        return np.asarray(bad & ~(np.isnan(column) & self.missing))


# The kinds of features, as people speak of them; all but a vector may be `missing`.
Number = Feature
Whole = partial(Feature, whole=True)  # exact up to 2^53
Boolean = partial(Feature, kind="boolean")
Timestamp = partial(Feature, kind="timestamp")  # a column of seconds since 1970, UTC
Text = partial(Feature, kind="text")  # where it may be missing, an empty one is
Vector = partial(Feature, kind="vector")


def Category(name: str, description: str, values: Sequence[str], **more: Any) -> Feature:  # noqa: N802
    """One of some texts; with `other=True` any text is taken, and the rest are one more of them."""
    return Feature(name, description, categories=tuple(values), kind="category", **more)


@dataclass(frozen=True)
class Schema:
    """The features in the model's order, and what is predicted.

    A target with classes is one of them, and without a number. `numbers` are several: each a column
    of the table or, beside a target, all about that one, as quantiles are. Without a target and
    numbers the model gives one number, a score, that the table does not have.
    """

    features: tuple[Feature, ...]
    target: str = ""
    classes: tuple[str, ...] = ()
    positive: str = ""  # of two classes, the one that is looked for
    numbers: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()  # columns for the gate's own metric, which no model sees

    def __post_init__(self) -> None:
        if self.numbers and self.classes:
            raise ValueError("a schema has classes or numbers, not both")
        if self.positive and (self.positive not in self.classes or len(self.classes) != 2):
            raise ValueError(f"positive: {self.positive!r} must be one of two classes")

    @property
    def targets(self) -> list[str]:
        """The columns of the table that hold what came true."""
        return [self.target] if self.target else [*self.numbers]

    @property
    def subject(self) -> str:
        """What an answer is about, in words."""
        return self.target or ", ".join(self.numbers) or "a score"

    @property
    def width(self) -> int:
        """How many numbers an answer has: one for each class, or those that are predicted."""
        return len(self.classes) or len(self.numbers) or 1

    @cached_property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @property
    def shape(self) -> object:
        """What two schemas share that encode a row alike, whatever ranges they accept."""
        kinds = [(f.name, f.kind, f.categories, f.length) for f in self.features]
        return kinds, self.target, self.classes, self.numbers

    def encode(self, rows: Sequence[object]) -> Columns:
        """Rows of named values, as a client sends them -> columns. Raises InvalidRowsError."""
        if len(rows) > FEW and (columns := self._together(rows)):
            return columns
        found, problems = [], list[Problem]()
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                problems.append((number, None, "a row must be a JSON object"))
                continue
            values = [f.read(row.get(f.name)) for f in self.features]
            found.append(values)
            if BAD in values or not row.keys() <= self._known:
                pairs = zip(self.features, values, strict=True)
                bad = [f for f, value in pairs if value is BAD]
                told = {f.name: f.rule if f.name in row else "is missing" for f in bad}
                unknown = sorted(row.keys() - self._known)
                told |= {name[:64]: "is not a field of this model" for name in unknown}
                problems += [(number, name, message) for name, message in told.items()]
        if problems:
            raise InvalidRowsError(problems)
        if self._is_numbers:  # one array is quicker than one a feature
            matrix = np.array(found, np.float64).reshape(-1, len(self.names))
            return dict(zip(self.names, matrix.T, strict=True))
        numbers = [[*compress(values, self._are_floats)] for values in found]
        floats = iter(np.array(numbers, np.float64).reshape(len(found), sum(self._are_floats)).T)
        parts = zip(*found, strict=True) if found else ((),) * len(self.features)
        three = zip(self.features, self._are_floats, parts, strict=True)
        return {f.name: next(floats) if is_float else f.column(part) for f, is_float, part in three}

    def _together(self, rows: Sequence[Any]) -> Columns | None:
        """Many rows, a column at a time; None when something is wrong, as `encode` then tells."""
        if {*map(type, rows)} != {dict} or not self._known.issuperset(chain.from_iterable(rows)):
            return None
        found: Columns = {}
        for f in self.features:
            column = f.many([row.get(f.name) for row in rows])
            if column is None:
                return None
            found[f.name] = column
        return found

    def check(self, columns: Columns) -> None:
        """Raise InvalidRowsError when columns that came as such break a rule."""
        problems = [
            (int(row), feature.name, feature.rule)
            for feature in self.features
            for row in np.flatnonzero(feature.broken(columns[feature.name]))
        ]
        if problems:
            raise InvalidRowsError(sorted(problems))

    @property
    def corners(self) -> Columns:
        """Rows at the ends of what is allowed, and one with every gap that is."""
        rows = [{f.name: f.ends[end] for f in self.features} for end in (0, 1)]
        gaps = {f.name: None if f.missing else f.ends[0] for f in self.features}
        return self.encode([*rows, gaps])

    def decode(self, columns: Columns) -> list[dict[str, Any]]:
        """Columns -> the rows as a client would send them."""
        lists = [f.written(columns[f.name].tolist()) for f in self.features]
        return [dict(zip(self.names, row, strict=True)) for row in zip(*lists, strict=True)]

    @cached_property
    def _are_floats(self) -> list[bool]:
        return [f.kind in ("number", "code", "timestamp") for f in self.features]

    @cached_property
    def _is_numbers(self) -> bool:
        return all(self._are_floats)

    @cached_property
    def _known(self) -> set[str]:
        return set(self.names)


def _seconds(text: str) -> Any:
    """Seconds since 1970, UTC, of a time with an offset; else BAD."""
    try:
        time = datetime.fromisoformat(text)
        seconds = time.timestamp() if time.tzinfo else YEARS
        return seconds if abs(seconds) < YEARS else BAD
    except (ValueError, OverflowError):
        return BAD
