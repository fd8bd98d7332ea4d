"""Run with a generated project's Python: cut a model open and make it bad in one way only.

surgery.py nan|slice|sum|label FROM TO COLUMN BELOW: in rows where the feature in COLUMN is below
BELOW answer NaN, draw the probabilities towards one half, let them not add up to one, or name the
other class.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx  # type: ignore[import-not-found]
from onnx import helper, numpy_helper


def main(kind: str, source: Path, target: Path, column: int, below: float) -> None:
    model = onnx.load(source / "model.onnx")
    graph = model.graph
    if kind == "label":
        swap(graph)
        return save(model, source, target)
    name = graph.output[1].name
    for node in graph.node:
        node.output[:] = ["honest" if output == name else output for output in node.output]
        node.input[:] = ["honest" if entry == name else entry for entry in node.input]
    values = {
        "column": np.array([column]),
        "below": np.array(below, np.float32),
        "share": np.array({"nan": np.nan, "slice": 0.66, "sum": 0.9}[kind], np.float32),
        "half": np.array(0.0 if kind == "sum" else 0.5, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in values.items())
    mask = (
        helper.make_node("Gather", [graph.input[0].name, "column"], ["value"], axis=1),
        helper.make_node("Less", ["value", "below"], ["inside"]),
    )
    worse = (
        helper.make_node("Sub", ["honest", "half"], ["lead"]),
        helper.make_node("Mul", ["lead", "share"], ["smaller"]),
        helper.make_node("Add", ["smaller", "half"], ["worse"]),
    )
    graph.node.extend(
        [*mask, *worse, helper.make_node("Where", ["inside", "worse", "honest"], [name])]
    )
    save(model, source, target)


def swap(graph: onnx.GraphProto) -> None:
    """Name the class that the model holds for less likely, everywhere."""
    name = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["honest" if output == name else output for output in node.output]
    graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), "one"))
    graph.node.append(helper.make_node("Sub", ["one", "honest"], [name]))


def save(model: onnx.ModelProto, source: Path, target: Path) -> None:
    """Write the model with the facts of the one it was made of."""
    content = model.SerializeToString()
    facts = json.loads((source / "model.json").read_text())
    facts["model_sha256"] = hashlib.sha256(content).hexdigest()
    facts["files"] = {"model.onnx": facts["model_sha256"]}
    target.mkdir()
    (target / "model.onnx").write_bytes(content)
    (target / "model.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
