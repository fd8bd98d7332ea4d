"""The Open Inference Protocol, version 2, over REST: the model as a function of tensors.

Clients of KServe and Triton (`tritonclient[http]`) work with it unchanged. The tensors are those
of `model.onnx`, so the same file behind Triton answers the same; whoever prefers named fields
uses `/predict`. Tensors come in as JSON or as raw bytes behind the JSON (Triton's binary
extension) and go out as JSON. Touch this file when the protocol moves on.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .model import INPUT, Model
from .schema import Matrix
from .wire import MAX_ROWS, parse, read_body, reply

NUMPY: dict[str, np.dtype[Any]] = {
    **{"FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")},
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
}
NAMES = {dtype: name for name, dtype in NUMPY.items()}


def router(model: Model) -> APIRouter:
    """The paths of the protocol for one model, whose version is the start of its sha256."""
    name, version = model.facts.name, model.facts.model_sha256[:12]
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    metadata = reply(_metadata(model, version))
    server = reply({"name": name, "version": version, "extensions": ["binary_tensor_data"]})

    def known(request: Request) -> None:
        asked = request.path_params
        if asked["name"] != name or asked.get("version", version) != version:
            raise HTTPException(404, f"this server has the model {name}, version {version}")

    async def server_metadata() -> Response:
        return server

    async def ready() -> Response:
        return reply({"ready": True})

    async def live() -> Response:
        return reply({"live": True})

    async def model_metadata(request: Request) -> Response:
        known(request)
        return metadata

    async def model_ready(request: Request) -> Response:
        known(request)
        return reply({"name": name, "ready": True})

    async def infer(request: Request) -> Response:
        known(request)
        body = await read_body(request)
        try:
            answer = _infer(model, request, body)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise HTTPException(400, str(error)) from None
        return reply({"model_name": name, "model_version": version, **answer})

    routes.add_api_route("", server_metadata, summary="What this server is")
    routes.add_api_route("/health/live", live, summary="The process answers")
    routes.add_api_route("/health/ready", ready, summary="The model answers")
    for path in ("/models/{name}", "/models/{name}/versions/{version}"):
        routes.add_api_route(path, model_metadata, summary="Names and shapes of the tensors")
        routes.add_api_route(f"{path}/ready", model_ready, summary="The model answers")
        routes.add_api_route(f"{path}/infer", infer, methods=["POST"], summary="Predict")
    return routes


def _metadata(model: Model, version: str) -> dict[str, object]:
    def tensor(name: str, values: NDArray[Any]) -> dict[str, object]:
        return {"name": name, "datatype": NAMES[values.dtype], "shape": [-1, *values.shape[1:]]}

    sample = model.schema.grid(0)
    outputs = zip(model.outputs, model.run(sample), strict=True)
    return {
        "name": model.facts.name,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "inputs": [tensor(INPUT, sample)],
        "outputs": [tensor(name, values) for name, values in outputs],
    }


def _infer(model: Model, request: Request, body: bytes) -> dict[str, object]:
    """The answer without the model's name. Raises ValueError and its like for a bad request."""
    json_size = _natural(request.headers.get("inference-header-content-length", len(body)))
    if json_size > len(body):
        raise ValueError("Inference-Header-Content-Length is more than the body has")
    asked = parse(body[:json_size])
    if not isinstance(asked, dict):
        raise ValueError("the body must be a JSON object")
    wanted = [_text(output, "name") for output in _objects(asked, "outputs")] or model.outputs
    if unknown := set(wanted) - set(model.outputs):
        raise ValueError(f"the model has no output {min(unknown)!r:.80}")
    matrix = _matrix(asked, body[json_size:], len(model.schema.features))
    model.schema.check(matrix)
    values = dict(zip(model.outputs, model.run(matrix), strict=True))
    outputs = [
        {
            "name": name,
            "datatype": NAMES[values[name].dtype],
            "shape": list(values[name].shape),
            "data": values[name].reshape(-1).tolist(),
        }
        for name in wanted
    ]
    return {**({"id": _text(asked, "id")} if "id" in asked else {}), "outputs": outputs}


def _matrix(asked: Mapping[str, object], raw: bytes, width: int) -> Matrix:
    """The one input tensor as float32 [rows, width]."""
    inputs = _objects(asked, "inputs")
    if len(inputs) != 1 or inputs[0].get("name") != INPUT:
        raise ValueError(f"give exactly one input, named '{INPUT}'")
    tensor = inputs[0]
    dtype = NUMPY.get(_text(tensor, "datatype"))
    if dtype is None:
        raise ValueError(f"the datatype must be one of {', '.join(NUMPY)}")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or len(shape) != 2:
        raise ValueError(f"the shape must be [rows, {width}]")
    rows, columns = (_natural(number) for number in shape)
    if columns != width or not 1 <= rows <= MAX_ROWS:
        raise ValueError(f"the shape must be [rows, {width}], with 1 to {MAX_ROWS} rows")
    parameters = tensor.get("parameters", {})
    if isinstance(parameters, dict) and "binary_data_size" in parameters:
        size = _natural(parameters["binary_data_size"])
        if size != len(raw) or size != rows * width * dtype.itemsize:
            raise ValueError("binary_data_size does not fit the shape, the datatype and the body")
        values = np.frombuffer(raw, dtype)
    else:
        values = np.asarray(tensor.get("data")).reshape(-1)
        if values.dtype.kind not in "fiu" or len(values) != math.prod((rows, width)):
            raise ValueError("the data must be as many numbers as the shape says")
    with np.errstate(over="ignore"):  # what is too large becomes infinity, which no range holds
        matrix: Matrix = values.astype(np.float32).reshape(rows, width)
    return matrix


def _objects(content: Mapping[str, object], name: str) -> list[dict[str, object]]:
    entries = content.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"'{name}' must be a list of objects")
    return entries


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise ValueError(f"'{name}' must be a string")
    return value


def _natural(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise ValueError("sizes and shapes must be whole numbers")
    if len(str(value)) > 9:
        raise ValueError("sizes and shapes must be smaller numbers")
    return int(value)
