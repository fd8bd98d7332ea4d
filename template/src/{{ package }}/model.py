"""A trained model: files to run, as a rule `model.onnx`, and `model.json` to know what they are.

They are the whole contract between training and serving, which needs nothing that training uses and
never loads a pickle. A model that does not go into ONNX is loaded from its own files by native.py,
which is yours to write: docs/make-it-yours.md. Touch this file to record one more fact of a model.
"""

import hashlib
import importlib
import itertools
import json
import math
from dataclasses import asdict, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from .faults import cut, line
from .features import features
from .schema import Columns, Schema

ort.disable_telemetry_events()  # it would report to Microsoft
ARTIFACTS = Path(__file__).parent / "artifacts"
CLOSE = 1e-5  # how far probabilities may be from the sum 1, and equal ones from each other
FEATURES = hashlib.sha256(Path(__file__).with_name("features.py").read_bytes()).hexdigest()
ONNX = "model.onnx"
FLOAT = np.dtype(np.float64)
INPUT = "features"  # the input of an ONNX model that takes all columns as one: [rows, columns]
# What an ONNX model may give, and what it may take.
NUMBERS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
TYPES: dict[str, Any] = NUMBERS | {"tensor(string)": object}
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".npy")  # what may run code when loaded
Files = dict[str, bytes]


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
    files: dict[str, str] = field(default_factory=dict)  # the sha256 of each; none: ONNX alone
    threshold: float | None = None  # of the positive class, from where on it is the answer
    window: str = ""  # rows of this time or later were not trained on, when SPLIT is by time


def seen(columns: Columns) -> Columns:
    """What a model sees of some rows: what features.py makes of them, as single columns.

    Numbers are float64, a gap in a text is "", a vector is as many columns as it has numbers.
    """
    made: Columns = {}
    for name, column in _made(columns).items():
        if column.dtype is FLOAT and column.ndim == 1:
            made[name] = column
        elif column.ndim == 2:
            made |= {f"{name}_{place}": part.astype(float) for place, part in enumerate(column.T)}
        elif column.dtype != object:
            made[name] = column.astype(np.float64)
        else:
            values = column.tolist()
            made[name] = column
            if None in values:
                made[name] = np.array(["" if v is None else v for v in values], object)
    return made


def _made(columns: Columns) -> Columns:
    """What features.py makes of some rows. Raises ModelError, whatever goes wrong there."""
    try:
        found = features(columns)
    except Exception as error:
        raise ModelError(line(error), "correct features() in features.py") from error
    if found is not columns:
        rows = len(next(iter(columns.values())))
        for name, column in found.items() if isinstance(found, dict) else [("of all", found)]:
            if not isinstance(column, np.ndarray) or column.shape[:1] != (rows,):
                kind = f"{type(column).__name__} {getattr(column, 'shape', '')}".strip()
                cause = f"features() makes {name} a {kind} of {rows} rows"
                raise ModelError(cause, "return a dict of numpy columns: features() in features.py")
    return found


class Model:
    """A model ready to answer."""

    def __init__(self, files: Files, facts: Facts) -> None:
        self.facts, self.schema = facts, facts.schema
        self._looked_for = None
        if facts.threshold is not None:
            if not self.schema.positive:
                raise ModelError("a threshold needs a positive class", 'positive="..." in data.py')
            self._looked_for = self.schema.classes.index(self.schema.positive)
        self.outputs = ["label", "probabilities"] if self.schema.classes else ["variable"]
        if ONNX in files:
            self.platform, self.see = "onnxruntime_onnx", "see to_onnx() in train.py"
            self._open(files[ONNX])
            self._run = self._run_onnx
        else:
            self.platform, self.see = "native", "see load() in native.py"
            self._native = self._import(files)
            self._run = self._run_native

    def _open(self, onnx: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # one row is too little work to share
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # a broken file is reported once, by us
        try:
            self._session = ort.InferenceSession(onnx, options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a type of its own for every fault
            raise ModelError(f"onnxruntime cannot load the model: {cut(error)}") from None
        self.outputs = [output.name for output in self._session.get_outputs()]
        types = {output.type for output in self._session.get_outputs()}
        if not types <= NUMBERS.keys() or len(self.outputs) <= bool(self.schema.classes):
            cause = "the model must give numbers: the prediction or, for classes, its index and the"
            raise ModelError(f"{cause} probabilities", "see to_onnx() in train.py")
        self._inputs = {given.name: given.type for given in self._session.get_inputs()}
        self._floats = [name for name, kind in self._inputs.items() if kind == "tensor(float)"]
        self._others = {n: kind for n, kind in self._inputs.items() if n not in self._floats}

    def _import(self, files: Files) -> Any:
        """What native.py makes of the files. Raises ModelError, whatever goes wrong there."""
        names = ", ".join(files)
        try:
            return importlib.import_module(".native", __package__).load(files)
        except ModuleNotFoundError as error:
            remedy = "write it; what it imports belongs to dependencies in pyproject.toml"
            raise ModelError(f"native.py is to load {names}: {error}", remedy) from error
        except Exception as error:
            cause = f"native.py cannot load {names}: {line(error)}"
            raise ModelError(cause, "see load() in native.py") from error

    def _run_native(self, columns: Columns) -> list[NDArray[Any]]:
        table = seen(columns)
        try:
            said = np.asarray(self._native(table), np.float64)
        except Exception as error:
            cause = f"native.py cannot answer: {line(error)}"
            raise ModelError(cause, "see load() in native.py") from error
        if not self.schema.classes:
            return [said]
        return [said.argmax(axis=-1), said]

    def feed(self, columns: Columns) -> dict[str, NDArray[Any]]:
        """A tensor a column or, as INPUT, all columns in one. Raises ModelError if neither."""
        table = seen(columns)
        try:
            if [*self._inputs] == [INPUT] and INPUT not in table:
                return {INPUT: np.ascontiguousarray(np.array([*table.values()], np.float32).T)}
            fed = {
                name: table[name].astype(TYPES[kind], copy=False)[:, None]
                for name, kind in self._others.items()
            }
            if self._floats:  # one array is quicker than one a column
                floats = np.array([table[name] for name in self._floats], np.float32)[:, :, None]
                fed |= zip(self._floats, floats, strict=True)
            return fed
        except (KeyError, ValueError, TypeError) as error:
            cause = f"the model does not take what features.py makes: {error}"
            raise ModelError(cause, "see to_onnx() in train.py") from None

    def _run_onnx(self, columns: Columns) -> list[NDArray[Any]]:
        fed = self.feed(columns)
        try:
            outputs: list[NDArray[Any]] = self._session.run(self.outputs, fed)
        except Exception as error:  # onnxruntime has a type of its own for every fault
            raise ModelError(f"the model cannot run: {cut(error)}", self.see) from None
        return outputs

    def raw(self, columns: Columns) -> list[NDArray[Any]]:
        """Columns -> the outputs of the model, whatever they are.

        Raises ModelError when it cannot run, or they are not as many as there are rows, or classes.
        """
        outputs = self._run(columns)
        rows, classes = len(next(iter(columns.values()))), len(self.schema.classes)
        sizes = [output.size for output in outputs[: 1 + bool(classes)]]
        wanted = [rows, rows * classes] if classes else [rows * self.schema.width]
        if sizes != wanted or any(len(output) != rows for output in outputs):
            what = f"{self.schema.width} numbers" if self.schema.width > 1 else "one number"
            what = f"an index and {classes} probabilities" if classes else what
            raise ModelError(f"the model must give {what} a row", self.see)
        return outputs

    def faults(self, outputs: list[NDArray[Any]]) -> list[str]:
        """What is wrong with each answer [rows]; "" where nothing is."""
        rows = len(outputs[0])
        lists = (output.reshape(rows, -1).tolist() for output in outputs)
        return [self._fault(*parts) for parts in zip(*lists, strict=True)]

    def _fault(self, first: list[float], *others: list[float]) -> str:
        if not all(map(math.isfinite, itertools.chain(first, *others))):
            return "is not a finite number"
        if self.schema.classes:
            best = max(others[0])
            if min(others[0]) < -CLOSE or best > 1 + CLOSE or abs(sum(others[0]) - 1) > CLOSE:
                return "has probabilities that are not from 0 to 1 with the sum 1"
            if first[0] not in range(len(others[0])) or others[0][int(first[0])] < best - CLOSE:
                return "is not the most probable class"
        return ""

    def run(self, columns: Columns) -> list[NDArray[Any]]:
        """The same, of answers that have no fault, and with the label that the threshold says.

        Raises ModelError when one has a fault.
        """
        outputs = self.raw(columns)
        for fault in filter(None, self.faults(outputs)):
            raise ModelError(f"the model's answer {fault}", self.see)
        if self._looked_for is not None:
            enough = outputs[1][:, self._looked_for] >= self.facts.threshold
            labels = np.where(enough, self._looked_for, 1 - self._looked_for)
            outputs[0] = labels.astype(outputs[0].dtype).reshape(outputs[0].shape)
        return outputs

    def answers(self, columns: Columns) -> list[dict[str, Any]]:
        """What `/predict` answers, a JSON object a row: the only way to a prediction.

        Raises ModelError as `run` does.
        """
        first, *rest = (out.reshape(len(out), -1).tolist() for out in self.run(columns))
        classes, numbers = self.schema.classes, self.schema.numbers
        if len(numbers) > 1:
            return [{"prediction": dict(zip(numbers, row, strict=True))} for row in first]
        if not classes:
            return [{"prediction": value} for (value,) in first]
        shares = (dict(zip(classes, row, strict=True)) for row in rest[0])
        codes = (classes[int(code)] for (code,) in first)
        return [{"prediction": c, "probabilities": s} for c, s in zip(codes, shares, strict=True)]


def hashes(files: Files) -> dict[str, str]:
    """The sha256 of each file, and of the model: of all of them together when there are several.

    Raises ModelError for a name that no wheel would hold, or that is a pickle's.
    """
    for name in files:
        if not name.startswith("model.") or name == "model.json" or name.endswith(PICKLES):
            cause = f"{name}: a model's files are called model.*, and none may run code when loaded"
            raise ModelError(cause, f"not {', '.join(PICKLES)}; see docs/make-it-yours.md")
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def identity(files: dict[str, str]) -> str:
    """What a model is told by, of the sha256 of its files: that of model.onnx where it is alone."""
    return (
        files[ONNX]
        if files.keys() == {ONNX}
        else hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    )


def save(folder: Path, files: Files, facts: Facts) -> None:
    """Write all files, and leave none of another model."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("model.*"):
        old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "model.json").write_text(json.dumps(asdict(facts), indent=2) + "\n", "utf-8")


def load(folder: Path = ARTIFACTS) -> Model:
    """Read all files. Raises ModelError when one is missing or they do not belong together."""
    try:
        facts = TypeAdapter(Facts).validate_json((folder / "model.json").read_bytes())
        known = facts.files or {ONNX: facts.model_sha256}
        files = {name: (folder / name).read_bytes() for name in known}
    except FileNotFoundError as error:
        raise ModelError(f"there is no {Path(error.filename).name} in {folder}") from None
    except ValueError as error:
        raise ModelError(f"{folder / 'model.json'} is not readable: {cut(error)}") from None
    if wrong := [name for name, sha in hashes(files).items() if sha != known[name]]:
        raise ModelError(f"{folder / wrong[0]} is not the file that model.json describes")
    if identity(known) != facts.model_sha256:
        raise ModelError(f"{folder / 'model.json'} names another model than its files are")
    return Model(files, facts)
