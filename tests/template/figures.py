"""Run with a generated project's Python: figures of scikit-learn's, of what a client got.

Reads JSON: the truth, answers, weights and classes, of which the last is the positive of two.
Prints JSON: each figure that has a meaning, by its name.
"""

import json
import sys
from typing import Any

import numpy as np
from sklearn import metrics  # type: ignore[import-not-found]


def main(found: dict[str, Any]) -> dict[str, float]:
    weights = np.array(found["weights"])
    classes, answers = found["classes"], found["answers"]
    if not classes:
        true, said = np.array(found["truth"], float), np.array([a["prediction"] for a in answers])
        names = ("mean_absolute_error", "root_mean_squared_error", "r2_score", "mean_pinball_loss")
        figures = {
            name.removesuffix("_score"): getattr(metrics, name)(true, said, sample_weight=weights)
            for name in names
        }
        return {**figures, "skill": figures["r2"]}
    truth = np.array([classes.index(name) for name in found["truth"]])
    labels = np.array([classes.index(answer["prediction"]) for answer in answers])
    said = np.array([[a["probabilities"][name] for name in classes] for a in answers])
    said /= said.sum(axis=1, keepdims=True)  # a server's are of 32 bits
    hot = truth[:, None] == np.arange(len(classes))
    loss = np.average(((said - hot) ** 2).sum(axis=1), weights=weights)
    mean = np.average(hot, axis=0, weights=weights)
    least = np.average(((mean - hot) ** 2).sum(axis=1), weights=weights)
    more: dict[str, Any] = {"sample_weight": weights}
    average = {} if len(classes) == 2 else {"average": "macro"}
    ranks = said[:, 1] if len(classes) == 2 else said
    precisions = [
        metrics.average_precision_score(hot[:, n], said[:, n], **more)
        for n in ([1] if len(classes) == 2 else range(len(classes)))
    ]
    return {
        "skill": 1 - loss / least,
        "log_loss": metrics.log_loss(truth, said, **more),
        "roc_auc": metrics.roc_auc_score(truth, ranks, multi_class="ovr", **more),
        "average_precision": float(np.mean(precisions)),
        "accuracy": metrics.accuracy_score(truth, labels, **more),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, labels, **more),
        "precision": metrics.precision_score(truth, labels, **average, **more),
        "recall": metrics.recall_score(truth, labels, **average, **more),
        "f1": metrics.f1_score(truth, labels, **average, **more),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.load(sys.stdin))))
