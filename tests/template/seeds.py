"""Run with a generated project's Python from its root: what the gate says of many models.

Prints JSON: for 20 honest seeds the reasons against the best of the others, for 20 seeds with
shuffled labels the reasons without any champion, and every score.
"""

import json
import sys
from importlib import import_module
from pathlib import Path


def main(package: str, folder: Path) -> dict[str, object]:
    gate, golden, train, data, model = (
        import_module(f"{package}.{name}") for name in ("gate", "golden", "train", "data", "model")
    )
    limits = gate.limits_of()
    metric = gate.metric_of(data.SCHEMA, limits)
    table, held_out = data.load(), golden.read()
    target = data.SCHEMA.target

    def made(kind: str, seed: int, rows: object) -> Path:
        place = folder / f"{kind}-{seed}"
        model.save(place, *train.train(rows, held_out, seed))
        return place

    honest = [made("honest", seed, table) for seed in range(20)]
    found = [gate.answered(model.load(place), held_out) for place in honest]
    scores = [gate.measure(one, metric) for one in found]
    best = sorted(range(20), key=lambda i: -scores[i]["all"].score)
    told = []
    for number, place in enumerate(honest):
        rival = honest[best[0] if best[0] != number else best[1]]
        told.append(gate.hold(place, rival, limits)[0])
    shuffled = []
    for seed in range(20):
        labels = table[target].sample(frac=1, random_state=seed).to_numpy()
        place = made("shuffled", seed, table.assign(**{target: labels}))
        shuffled.append(gate.hold(place, folder / "none", limits)[0])
    return {
        "honest": [report.reasons for report in told],
        "shuffled": [report.reasons for report in shuffled],
        "honest_skill": [report.slices["all"].score for report in told],
        "honest_slices": [[part.score for part in report.slices.values()] for report in told],
        "shuffled_skill": [report.slices["all"].score for report in shuffled],
        "shuffled_worst": [min(p.score for p in report.slices.values()) for report in shuffled],
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
