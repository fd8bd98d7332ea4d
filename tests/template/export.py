"""Run with a generated project's Python: train with a `to_onnx` that turns something round.

export.py PACKAGE label|probabilities|both FOLDER
"""

import sys
from importlib import import_module

import numpy as np
import onnx  # type: ignore[import-not-found]
from onnx import helper, numpy_helper


def turned(content: bytes, outputs: list[int]) -> bytes:
    """The model with the class, or the probabilities, of the other class."""
    model = onnx.load_from_string(content)
    graph = model.graph
    for number in outputs:
        name, honest, one = graph.output[number].name, f"honest{number}", f"one{number}"
        for node in graph.node:
            node.output[:] = [honest if output == name else output for output in node.output]
            node.input[:] = [honest if entry == name else entry for entry in node.input]
        value = np.array(1, np.float32 if number else np.int64)
        graph.initializer.append(numpy_helper.from_array(value, one))
        graph.node.append(helper.make_node("Sub", [one, honest], [name]))
    return bytes(model.SerializeToString())


def main(package: str, what: str, folder: str) -> None:
    train = import_module(f"{package}.train")
    honest, outputs = train.to_onnx, {"label": [0], "probabilities": [1], "both": [0, 1]}[what]
    train.to_onnx = lambda *fitted: turned(honest(*fitted), outputs)
    sys.argv = ["train", "--out", folder]
    train.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
