"""A trained model: `model.onnx` to run, `model.json` to know what it is.

The two files are the whole contract between training and serving, which needs nothing that training
uses and never loads a pickle. Touch this file to record one more fact about a model.
"""

import hashlib
import itertools
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from .features import features
from .schema import Columns, Schema

ort.disable_telemetry_events()  # it would report to Microsoft
ARTIFACTS = Path(__file__).parent / "artifacts"
CLOSE = 1e-5  # how far probabilities may be from the sum 1, and equal ones from each other
FEATURES = hashlib.sha256(Path(__file__).with_name("features.py").read_bytes()).hexdigest()
INPUT = "features"  # the input of an ONNX model that takes all columns as one: [rows, columns]
# What an ONNX model may give, and what it may take.
NUMBERS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
TYPES: dict[str, Any] = NUMBERS | {"tensor(string)": object}


class ModelError(Exception):
    """A model that cannot be used: a line of cause and a line of remedy."""

    def __init__(self, cause: str, remedy: str = "make train") -> None:
        super().__init__(cause)
        self.remedy = remedy


@dataclass(frozen=True)
class Facts:
    """What `model.json` says."""

    name: str
    created: str  # the time of the commit, not of the run: the same input gives the same file
    expires: str
    commit: str
    seed: int
    model_sha256: str
    data_fingerprint: str
    golden_fingerprint: str  # of the golden rows that were held out
    training_rows: int
    validation: dict[str, float]  # scores on rows that it was not fitted on
    example: dict[str, Any]  # a real row, for the API documentation
    schema: Schema
    features_sha256: str = FEATURES  # of features.py; models from before there was one name none


def seen(columns: Columns) -> Columns:
    """What a model sees of some rows: what features.py makes of them, as single columns.

    Numbers are float64, a gap in a text is "", a vector is as many columns as it has numbers.
    """
    made: Columns = {}
    for name, column in features(columns).items():
        if column.ndim == 2:
            made |= {f"{name}_{place}": part.astype(float) for place, part in enumerate(column.T)}
        elif column.dtype != object:
            made[name] = column.astype(np.float64, copy=False)
        else:
            made[name] = np.array(["" if v is None else v for v in column], object)
    return made


class Model:
    """A model ready to answer."""

    def __init__(self, onnx: bytes, facts: Facts) -> None:
        self.facts, self.schema = facts, facts.schema
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # one row is too little work to share
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # a broken file is reported once, by us
        try:
            self._session = ort.InferenceSession(onnx, options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a type of its own for every fault
            raise ModelError(f"onnxruntime cannot load the model: {error}") from None
        self.outputs = [output.name for output in self._session.get_outputs()]
        types = {output.type for output in self._session.get_outputs()}
        if not types <= NUMBERS.keys() or len(self.outputs) <= bool(self.schema.classes):
            cause = "the model must give numbers: the prediction or, for classes, its index and the"
            raise ModelError(f"{cause} probabilities", "see to_onnx() in train.py")
        self._inputs = {given.name: given.type for given in self._session.get_inputs()}

    def feed(self, columns: Columns) -> dict[str, NDArray[Any]]:
        """A tensor a column or, as INPUT, all columns in one. Raises ModelError if neither."""
        table = seen(columns)
        try:
            if [*self._inputs] == [INPUT] and INPUT not in table:
                return {INPUT: np.ascontiguousarray(np.array([*table.values()], np.float32).T)}
            return {
                name: table[name].astype(TYPES[kind]).reshape(-1, 1)
                for name, kind in self._inputs.items()
            }
        except (KeyError, ValueError, TypeError) as error:
            cause = f"the model does not take what features.py makes: {error}"
            raise ModelError(cause, "see to_onnx() in train.py") from None

    def raw(self, columns: Columns) -> list[NDArray[Any]]:
        """Columns -> the outputs of the ONNX model, whatever they are.

        Raises ModelError when it cannot run, or they are not as many as there are rows, or classes.
        """
        fed = self.feed(columns)
        try:
            outputs: list[NDArray[Any]] = self._session.run(self.outputs, fed)
        except Exception as error:  # onnxruntime has a type of its own for every fault
            why = " ".join(str(error).split())[:300]
            raise ModelError(f"the model cannot run: {why}", "see to_onnx() in train.py") from None
        rows, classes = len(next(iter(columns.values()))), len(self.schema.classes)
        sizes = [output.size for output in outputs[: 1 + bool(classes)]]
        if sizes != [rows, rows * classes][: len(sizes)] or any(len(o) != rows for o in outputs):
            what = f"an index and {classes} probabilities" if classes else "one number"
            raise ModelError(f"the model must give {what} a row", "see to_onnx() in train.py")
        return outputs

    def faults(self, outputs: list[NDArray[Any]]) -> list[str]:
        """What is wrong with each answer [rows]; "" where nothing is."""
        rows = len(outputs[0])
        lists = (output.reshape(rows, -1).tolist() for output in outputs)
        return [self._fault(first, *others) for (first,), *others in zip(*lists, strict=True)]

    def _fault(self, first: float, *others: list[float]) -> str:
        if not all(map(math.isfinite, itertools.chain((first,), *others))):
            return "is not a finite number"
        if self.schema.classes:
            best = max(others[0])
            if min(others[0]) < -CLOSE or best > 1 + CLOSE or abs(sum(others[0]) - 1) > CLOSE:
                return "has probabilities that are not from 0 to 1 with the sum 1"
            if first not in range(len(others[0])) or others[0][int(first)] < best - CLOSE:
                return "is not the most probable class"
        return ""

    def run(self, columns: Columns) -> list[NDArray[Any]]:
        """The same, of answers that have no fault. Raises ModelError when one has."""
        outputs = self.raw(columns)
        for fault in filter(None, self.faults(outputs)):
            raise ModelError(f"the model's answer {fault}", "see to_onnx() in train.py")
        return outputs

    def answers(self, columns: Columns) -> list[dict[str, Any]]:
        """What `/predict` answers, a JSON object a row: the only way to a prediction.

        Raises ModelError as `run` does.
        """
        first, *rest = (out.reshape(len(out), -1).tolist() for out in self.run(columns))
        classes = self.schema.classes
        if not classes:
            return [{"prediction": value} for (value,) in first]
        shares = (dict(zip(classes, row, strict=True)) for row in rest[0])
        codes = (classes[int(code)] for (code,) in first)
        return [{"prediction": c, "probabilities": s} for c, s in zip(codes, shares, strict=True)]


def save(folder: Path, onnx: bytes, facts: Facts) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(onnx)
    (folder / "model.json").write_text(json.dumps(asdict(facts), indent=2) + "\n", "utf-8")


def load(folder: Path = ARTIFACTS) -> Model:
    """Read both files. Raises ModelError when one is missing or they do not belong together."""
    try:
        onnx = (folder / "model.onnx").read_bytes()
        facts = TypeAdapter(Facts).validate_json((folder / "model.json").read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"there is no {Path(error.filename).name} in {folder}") from None
    except ValueError as error:
        why = " ".join(str(error).split())
        raise ModelError(f"{folder / 'model.json'} is not readable: {why}") from None
    if hashlib.sha256(onnx).hexdigest() != facts.model_sha256:
        raise ModelError(f"{folder / 'model.onnx'} is not the file that model.json describes")
    return Model(onnx, facts)
