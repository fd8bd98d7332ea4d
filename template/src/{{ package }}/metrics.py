"""How good answers are, by one figure; `[tool.mlops.gate] metric` in pyproject.toml names which.

    skill = 1 - mean squared error / mean squared error of the best constant answer

For classes the error is that of the vector of probabilities, and skill the Brier skill score (Brier
1950, Monthly Weather Review 78, 1-3; Murphy 1988, ibid. 116, 2417-2424); for numbers it is R
squared. 1 is perfect, 0 no better than a constant answer. The other names are scikit-learn's, and
`module:function` is one of your own: what a table and the answers to it come to.
"""

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .model import ModelError
from .schema import Schema

# By name: scikit-learn's function, whether more is better, and what it is computed from.
KNOWN = {
    "log_loss": ("log_loss", False, "probabilities"),
    "roc_auc": ("roc_auc_score", True, "ranks"),
    "average_precision": ("average_precision_score", True, "ranks"),
    "accuracy": ("accuracy_score", True, "labels"),
    "balanced_accuracy": ("balanced_accuracy_score", True, "labels"),
    "precision": ("precision_score", True, "found"),
    "recall": ("recall_score", True, "found"),
    "f1": ("f1_score", True, "found"),
    "mean_absolute_error": ("mean_absolute_error", False, "numbers"),
    "root_mean_squared_error": ("root_mean_squared_error", False, "numbers"),
    "r2": ("r2_score", True, "numbers"),
    "mean_pinball_loss": ("mean_pinball_loss", False, "quantiles"),
}
SEE = "see [tool.mlops.gate] in pyproject.toml"
DRAWS = 200  # samples of the rows, of which an interval is made


@dataclass(frozen=True)
class Answered:
    """Rows of the table and what a client gets for them, as numbers."""

    schema: Schema
    rows: pd.DataFrame
    truth: NDArray[Any]  # the number of the class [rows], or numbers [rows, width]
    said: NDArray[np.float64]  # probabilities or numbers [rows, width]
    labels: NDArray[Any]  # the number of the class that is served [rows]
    weights: NDArray[np.float64]  # how many rows of the table each stands for [rows]

    def take(self, which: NDArray[Any]) -> "Answered":
        """Some of the rows, by number or by a mask."""
        parts = (self.truth, self.said, self.labels, self.weights)
        rows = self.rows.iloc[np.arange(len(self.rows))[which]]
        return Answered(self.schema, rows, *(part[which] for part in parts))

    @property
    def actual(self) -> NDArray[np.float64]:
        """What a perfect model says [rows, width]."""
        return np.eye(self.schema.width)[self.truth] if self.schema.classes else self.truth

    def constant(self, alphas: list[float] | None = None) -> "Answered":
        """The same rows with the best answer that looks at none of them."""
        best = np.average(self.actual, axis=0, weights=self.weights)
        if alphas:
            best = np.array([np.quantile(t, a) for t, a in zip(self.truth.T, alphas, strict=True)])
        said = np.tile(best, (len(self.rows), 1))
        return replace(self, said=said, labels=np.full(len(self.rows), int(best.argmax())))


@dataclass(frozen=True)
class Metric:
    """What the gate judges by."""

    name: str
    higher: bool  # is better
    score: Callable[[Answered], float]  # NaN where it has no meaning
    alphas: list[float] | None = None  # the quantile that each number is

    @property
    def sign(self) -> int:
        return 1 if self.higher else -1

    def interval(self, found: Answered, marks: NDArray[Any]) -> tuple[float, float]:
        """Where the figure of all such rows lies, in 95 of 100 cases: percentiles of the bootstrap
        (Efron 1979, Annals of Statistics 7, 1-26). What has one mark is alike, and drawn together.
        """
        names, codes = np.unique(marks, return_inverse=True)
        order = np.argsort(codes, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(codes))[:-1])
        random = np.random.default_rng(0)
        scores = []
        for _ in range(DRAWS):
            drawn = random.integers(len(names), size=len(names))
            which = np.concatenate([groups[number] for number in drawn])
            scores.append(self.score(found.take(which)))
        low, high = np.nanpercentile(scores, (2.5, 97.5))
        return float(low), float(high)


def skill(found: Answered, reference: NDArray[np.float64] | None = None) -> float:
    """The skill on some rows; the error that a constant answer has is their own, or is given."""
    actual = found.actual
    if reference is None:
        reference = spread(found)
    losses = (((found.said - actual) ** 2) / reference).mean(axis=1)
    return 1 - float(np.average(losses, weights=found.weights))


def spread(found: Answered) -> NDArray[np.float64]:
    """The mean squared error of the best constant answer, of each number [width]; of classes their
    mean. Raises ModelError when it is none, as skill has no meaning then.
    """
    actual = found.actual
    mean = np.average(actual, axis=0, weights=found.weights)
    errors = np.average((actual - mean) ** 2, axis=0, weights=found.weights)
    if found.schema.classes:
        errors = np.full(len(errors), errors.mean())
    if not (errors > 0).all():
        raise ModelError("every row has the same target: no model can show skill", "see data.py")
    return np.asarray(errors)


def metric_of(schema: Schema, settings: dict[str, Any]) -> Metric:
    """The metric that some settings of the gate name. Raises ModelError, saying what would do."""
    name = str(settings.get("metric", "skill"))
    if ":" in name:
        module, function = name.split(":", 1)
        try:
            own = getattr(importlib.import_module(f".{module}", __package__), function)
        except (ModuleNotFoundError, AttributeError) as error:
            raise ModelError(f"metric = '{name}': {error}", SEE) from error
        higher = bool(settings.get("higher_is_better", True))
        return Metric(function, higher, lambda found: _own(own, found))
    if not schema.targets:
        cause = "nothing in the table says what came true: metric = 'module:function'"
        raise ModelError(cause, SEE)
    if schema.target and schema.numbers and name != "mean_pinball_loss":
        cause = f"{', '.join(schema.numbers)} are quantiles: metric = 'mean_pinball_loss'"
        raise ModelError(cause, SEE)
    if name == "skill":
        return Metric(name, True, skill)
    if name not in KNOWN:
        raise ModelError(f"metric = '{name}': known are skill, {', '.join(KNOWN)}", SEE)
    function, higher, kind = KNOWN[name]
    if (kind in ("numbers", "quantiles")) == bool(schema.classes):
        what = "numbers" if schema.classes else "classes"
        raise ModelError(f"metric = '{name}' is for {what}, which {schema.subject} has not", SEE)
    alphas = settings.get("alpha", [0.5] * schema.width) if kind == "quantiles" else None
    if alphas is not None and len(alphas) != schema.width:
        raise ModelError(f"alpha = {alphas}: one for each of {', '.join(schema.numbers)}", SEE)
    return Metric(name, higher, lambda found: _sklearn(function, kind, found, alphas), alphas)


def _own(function: Any, found: Answered) -> float:
    return float(function(found.rows, found.said if found.schema.width > 1 else found.said[:, 0]))


def _sklearn(name: str, kind: str, found: Answered, alphas: list[float] | None) -> float:
    """A figure of scikit-learn's, NaN where these rows have none."""
    plain: Any = getattr(importlib.import_module("sklearn.metrics"), name)

    def function(*given: Any, **more: Any) -> float:
        with warnings.catch_warnings(action="ignore"):  # once for each sample of the bootstrap
            return float(plain(*given, **more))

    schema, truth = found.schema, found.truth
    more: dict[str, Any] = {"sample_weight": found.weights}
    places = list(range(len(schema.classes)))
    wanted = schema.classes.index(schema.positive) if schema.positive else 1
    if kind == "quantiles":
        columns = zip(truth.T, found.said.T, alphas or [], strict=True)
        return float(np.mean([function(t, s, alpha=a, **more) for t, s, a in columns]))
    if kind == "numbers":
        return function(truth, found.said, **more)
    if kind == "probabilities":
        return function(truth, found.said, labels=places, **more)
    there = np.unique(truth)
    if kind == "ranks":
        if len(there) < len(places):
            return float("nan")
        if len(places) == 2:
            return function(truth == wanted, found.said[:, wanted], **more)
        return function(np.eye(len(places))[truth], found.said, average="macro", **more)
    if kind == "found":
        if schema.positive and wanted not in there:
            return float("nan")
        many = {"average": "macro", "labels": there}  # of the classes that are there
        more |= {"zero_division": 0.0, **({"pos_label": wanted} if schema.positive else many)}
    return function(truth, found.labels, **more)
