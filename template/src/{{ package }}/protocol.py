"""The Open Inference Protocol, version 2, over REST: the model as a function of tensors.

Clients of KServe and Triton (`tritonclient[http]`) work with it unchanged: a tensor a feature or,
where all of them are numbers, all in one. Tensors come in as JSON or as raw bytes behind the JSON
(Triton's binary extension) and go out as JSON. Touch this file when the protocol moves on.
"""

import itertools
import zlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from .model import INPUT, Model
from .schema import Columns
from .telemetry import count, refuse

MAX_BYTES = 1_000_000  # of a request's body
MAX_ROWS = 1000  # in one request, so that none keeps the others waiting for long
KINDS = {"f": "FP", "i": "INT", "u": "UINT"}
NUMPY = {f"{KINDS[d.kind]}{8 * d.itemsize}": d for d in map(np.dtype, "fdbhiqBHIQ")}
DATATYPES = NUMPY | {"BOOL": np.dtype("?"), "BYTES": np.dtype("O")}


Rows = Annotated[int, Field(ge=1, le=MAX_ROWS)]


class Tensor(BaseModel):
    name: str
    datatype: str
    shape: tuple[Rows] | tuple[Rows, Annotated[int, Field(ge=1, le=MAX_BYTES)]]
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class Inference(BaseModel):
    """The JSON part of an inference request; what we do not know is ignored."""

    id: str | None = None
    inputs: Annotated[list[Tensor], Field(min_length=1)]
    outputs: list[dict[str, Any]] | None = None


async def read_body(request: Request) -> bytes:
    """The whole body, unpacked. Raises HTTPException 413 as soon as it is too large, 415 when it is
    packed otherwise than by gzip, and ValueError when that is broken."""
    packed = dict(request.scope["headers"]).get(b"content-encoding", b"").lower()
    packed = packed.removeprefix(b"x-")
    if packed not in (b"", b"identity", b"gzip"):
        raise HTTPException(415, "a body may be packed by gzip only", {"accept-encoding": "gzip"})
    body, more = b"", True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"the body is larger than {MAX_BYTES} bytes")
    return _unpacked(body) if packed == b"gzip" else body


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)  # gzip's header and no other
    try:
        content = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error:
        raise ValueError("the body is no gzip") from None
    if len(content) > MAX_BYTES:
        raise HTTPException(413, f"the body is larger than {MAX_BYTES} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("the gzip of the body is cut off, or something follows it")
    return content


def constant(content: object) -> Callable[[], Awaitable[Response]]:
    """An endpoint that always answers the same."""

    async def answer() -> Response:
        return JSONResponse(content)

    return answer


def router(model: Model) -> APIRouter:
    """The paths of the protocol for one model, whose version is the start of its sha256."""
    name, version = model.facts.name, model.facts.model_sha256[:12]

    async def infer(request: Request) -> Response:
        try:
            body = await read_body(request)
            size = int(request.headers.get("inference-header-content-length", len(body)))
            if not 0 <= size <= len(body):
                raise ValueError("Inference-Header-Content-Length does not fit the body")
            asked = Inference.model_validate_json(body[:size], strict=True)
            outputs = _infer(model, asked, body[size:], request.scope)
        except HTTPException as error:
            refuse(request.scope, error)
            raise
        except ValidationError as error:
            refuse(request.scope, error)
            found = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in found["loc"])
            raise HTTPException(400, f"{place}: {found['msg']}".lstrip(": ")) from None
        except ValueError as error:
            refuse(request.scope, error)
            raise HTTPException(400, str(error)) from None
        told = {"model_name": name, "model_version": version, "outputs": outputs}
        return JSONResponse(told | ({} if asked.id is None else {"id": asked.id}))

    said = zip(model.outputs, model.run(model.schema.corners), strict=True)
    outputs = [_tensor(output, values, -1) for output, values in said]
    tensors = {"inputs": _inputs(model), "outputs": outputs}
    metadata = {"name": name, "versions": [version], "platform": model.platform, **tensors}
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    server = {"name": name, "version": version, "extensions": ["binary_tensor_data"]}
    routes.add_api_route("", constant(server))
    routes.add_api_route("/health/live", constant({"live": True}))
    routes.add_api_route("/health/ready", constant({"ready": True}))
    for path in (f"/models/{name}", f"/models/{name}/versions/{version}"):
        routes.add_api_route(path, constant(metadata))
        routes.add_api_route(f"{path}/ready", constant({"name": name, "ready": True}))
        routes.add_api_route(f"{path}/infer", infer, methods=["POST"])

    return routes


def _tensor(name: str, values: NDArray[Any], rows: int) -> dict[str, Any]:
    datatype = f"{KINDS[values.dtype.kind]}{8 * values.dtype.itemsize}"
    return {"name": name, "datatype": datatype, "shape": [rows, *values.shape[1:]]}


def _takes_one(model: Model) -> bool:
    """Whether all features may come in one tensor."""
    return {f.kind for f in model.schema.features} <= {"number", "code"}


def _inputs(model: Model) -> list[dict[str, Any]]:
    features = model.schema.features
    if _takes_one(model):
        return [{"name": INPUT, "datatype": "FP32", "shape": [-1, len(features)]}]
    known = {"number": "FP64", "boolean": "BOOL", "vector": "FP32"}
    return [
        {"name": f.name, "datatype": known.get(f.kind, "BYTES")}
        | {"shape": [-1, f.length] if f.kind == "vector" else [-1, 1]}
        for f in features
    ]


def _infer(model: Model, asked: Inference, raw: bytes, scope: Scope) -> list[dict[str, Any]]:
    """The output tensors. Raises ValueError for whatever is wrong."""
    wanted: list[Any] = [out.get("name") for out in asked.outputs or ()] or model.outputs
    if not all(name in model.outputs for name in wanted):
        raise ValueError(f"the outputs of the model are {', '.join(model.outputs)}")
    columns = _columns(model, asked.inputs, raw)
    said = dict(zip(model.outputs, model.run(columns), strict=True))
    rows, classes = asked.inputs[0].shape[0], model.schema.classes
    first = said[model.outputs[0]].reshape(rows, -1)[:, 0].tolist()
    count(scope, (classes[int(code)] if classes else "" for code in first))
    return [_tensor(n, said[n], rows) | {"data": said[n].reshape(-1).tolist()} for n in wanted]


def _columns(model: Model, tensors: list[Tensor], raw: bytes) -> Columns:
    """The features that some tensors hold. Raises ValueError."""
    names, width = model.schema.names, len(model.schema.names)
    one = [tensor.name for tensor in tensors] == [INPUT] and _takes_one(model)
    for name in (tensor.name for tensor in tensors if not one):
        if name not in names:
            both = f"'{INPUT}' [rows, {width}], or else " if _takes_one(model) else ""
            known = f"{both}a tensor each for {', '.join(names)}"
            raise ValueError(f"the inputs are {known}, not '{name[:64]}'")
    if len({tensor.shape[0] for tensor in tensors}) > 1:
        raise ValueError("the tensors differ in their rows")
    if one and tensors[0].shape[1:] != (width,):
        raise ValueError(f"the shape is [rows, {width}], not {list(tensors[0].shape)}")
    parts = _parts(tensors, raw)
    found = {t.name: _values(t, part) for t, part in zip(tensors, parts, strict=True)}
    if one:
        matrix = found[INPUT]
        if matrix.dtype.kind not in "fiu":
            raise ValueError(f"the datatype is one of {', '.join(NUMPY)}")
        columns = dict(zip(names, matrix.T, strict=True))
        model.schema.check(columns)
        return {name: column.astype(np.float64) for name, column in columns.items()}
    vectors = {feature.name for feature in model.schema.features if feature.kind == "vector"}
    lists = [_plain(values, name in vectors) for name, values in found.items()]
    rows = (dict(zip(found, row, strict=True)) for row in zip(*lists, strict=True))
    return model.schema.encode(list(rows))


def _parts(tensors: list[Tensor], raw: bytes) -> list[bytes | None]:
    """The bytes behind the JSON that belong to each tensor; None where its data is in the JSON."""
    sizes = [(tensor.parameters or {}).get("binary_data_size") for tensor in tensors]
    known = [size for size in sizes if size is not None]
    if not all(type(size) is int and size >= 0 for size in known) or sum(known) != len(raw):
        raise ValueError("binary_data_size does not fit the body")
    ends = itertools.accumulate(size or 0 for size in sizes)
    return [
        None if size is None else raw[end - size : end]
        for size, end in zip(sizes, ends, strict=True)
    ]


def _values(tensor: Tensor, part: bytes | None) -> NDArray[Any]:
    """What a tensor holds, in its shape. Raises ValueError."""
    dtype = DATATYPES.get(tensor.datatype)
    if dtype is None:
        known = ", ".join(DATATYPES)
        raise ValueError(f"the datatype is one of {known}, not {tensor.datatype[:64]}")
    if part is None and dtype.kind in "fiu":
        values = _numbers(tensor.data or [], dtype)
    elif part is None:
        values = np.asarray(tensor.data or [], object).ravel()
    elif dtype.kind == "O":
        values = np.array(_texts(part), object)
    else:
        values = np.frombuffer(part, dtype)
    if (tensor.parameters or {}).get("content_type") == "pd_json":  # MLServer's, of any object
        values = np.array([from_json(str(text)) for text in values.ravel()], object)
    if tensor.datatype == "FP32" and tensor.name == INPUT:
        with np.errstate(over="ignore"):  # what is too large becomes infinity, which no range holds
            values = values.astype(np.float32)
    return values.reshape(tensor.shape)


def _texts(part: bytes) -> list[str]:
    """Texts, each behind its length in four bytes. Raises ValueError."""
    found, place = [], 0
    while place < len(part):
        start = place + 4
        place = start + int.from_bytes(part[place:start], "little")
        if place > len(part):
            raise ValueError("a text is cut off")
        found.append(part[start:place].decode("utf-8"))
    return found


def _plain(values: NDArray[Any], vector: bool) -> list[Any]:
    """The values of each row, as JSON has them: NaN is a gap, and 0.3 stays what it was in FP32."""
    if values.dtype == np.float32:
        values = values.astype(str).astype(np.float64)
    if not vector and values.size != len(values):
        raise ValueError(f"the shape is [rows, 1], not {list(values.shape)}")
    found: list[Any] = values.tolist() if vector else values.reshape(-1).tolist()
    return [None if value != value else value for value in found]


def _numbers(data: list[Any], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """Numbers out of JSON, in rows or not. Raises ValueError for what is none of that type."""
    items = np.asarray(data, object).ravel()
    items[items == None] = float("nan")  # noqa: E711
    if not set(map(type, items)) <= {int, float}:
        raise ValueError("the data must be numbers")
    try:
        values = items.astype(np.float64)
    except OverflowError:
        raise ValueError("a number in the data is too large") from None
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if ((values % 1 != 0) & ~np.isnan(values) | (values < low) | (values > high)).any():
            raise ValueError(f"the data must be whole numbers, as {dtype.name} says")
    return values
