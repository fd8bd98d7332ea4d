"""Run with a generated project's Python: how many of 100 intervals hold the true value.

Each is of 500 rows that are drawn anew. Prints JSON: the number by the metric.
"""

import json
import sys
from importlib import import_module

import numpy as np
import pandas as pd  # type: ignore[import-not-found]

ROWS, RARE = 500, 50
SHARES = np.array([0.99, 0.01])  # of the classes in the table
RIGHT = np.array([0.9, 0.6])  # how often the answer to each is


def main(package: str) -> dict[str, int]:
    metrics, schema = (import_module(f"{package}.{name}") for name in ("metrics", "schema"))
    features = (schema.Feature("x", "", -9, 9),)
    number = schema.Schema(target="t", features=features)
    classes = schema.Schema(target="t", features=features, classes=("no", "yes"))
    # Of a normal truth with the variance 1 and an answer that is off by a normal error of 0.5.
    far = 0.5 * np.sqrt(2 / np.pi)
    true = {"skill": 0.75, "error": far, "groups": far, "hits": float(SHARES @ RIGHT)}
    skill = metrics.Metric("skill", True, metrics.skill)
    error = metrics.Metric("error", False, lambda f: float(np.abs(f.said - f.truth).mean()))
    hits = metrics.Metric(
        "hits", True, lambda f: float(np.average(f.labels == f.truth, weights=f.weights))
    )
    held = dict.fromkeys(true, 0)
    for seed in range(100):
        random = np.random.default_rng(seed)
        truth, noise = random.normal(size=(2, ROWS, 1))
        rows, ones = pd.DataFrame({"x": truth[:, 0]}), np.ones(ROWS)
        labels, marks = np.zeros(ROWS, int), np.arange(ROWS)
        found = metrics.Answered(number, rows, truth, truth + noise * 0.5, labels, ones)
        same = np.repeat(noise[: ROWS // 5], 5, axis=0)  # five rows a group, all off alike
        grouped = metrics.Answered(number, rows, truth, truth + same * 0.5, labels, ones)
        # As many of the rare class as there are, and weights that say how rare it is.
        kind = (marks < RARE).astype(int)
        named = np.where(random.uniform(size=ROWS) < RIGHT[kind], kind, 1 - kind)
        weights = SHARES[kind] / np.array([ROWS - RARE, RARE])[kind]
        rare = metrics.Answered(classes, rows, kind, np.eye(2)[named], named, weights)
        tried = {
            "skill": skill.interval(found, marks),
            "error": error.interval(found, marks),
            "groups": error.interval(grouped, marks // 5),
            "hits": hits.interval(rare, marks),
        }
        for name, (low, high) in tried.items():
            held[name] += int(low <= true[name] <= high)
    return held


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
