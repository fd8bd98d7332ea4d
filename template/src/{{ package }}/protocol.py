"""The Open Inference Protocol, version 2, over REST: the model as a function of tensors.

Clients of KServe and Triton (`tritonclient[http]`) work with it unchanged. The tensors are those
of `model.onnx`, so the same file behind Triton answers the same; whoever prefers named fields
uses `/predict`. Tensors come in as JSON or as raw bytes behind the JSON (Triton's binary
extension) and go out as JSON. Touch this file when the protocol moves on.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .model import INPUT, Model
from .schema import Matrix
from .wire import MAX_ROWS, read_body, reply

NUMPY: dict[str, np.dtype[Any]] = {
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (32, 64)},
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
}
NAMES = {dtype: name for name, dtype in NUMPY.items()}


class Parameters(BaseModel):
    binary_data_size: int | None = Field(default=None, ge=0)


class Tensor(BaseModel):
    name: str
    datatype: str
    shape: tuple[Annotated[int, Field(ge=1, le=MAX_ROWS)], int]
    parameters: Parameters = Parameters()
    data: list[Any] = []


class Output(BaseModel):
    name: str


class Inference(BaseModel):
    """The JSON part of an inference request; what we do not know is ignored."""

    id: str | None = None
    inputs: list[Tensor] = Field(min_length=1, max_length=1)
    outputs: list[Output] = []


def router(model: Model) -> APIRouter:
    """The paths of the protocol for one model, whose version is the start of its sha256."""
    name, version = model.facts.name, model.facts.model_sha256[:12]
    server = {"name": name, "version": version, "extensions": ["binary_tensor_data"]}
    described = _metadata(model, version)
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    def known(request: Request) -> None:
        asked = request.path_params
        if asked["name"] != name or asked.get("version", version) != version:
            raise HTTPException(404, f"this server has the model {name}, version {version}")

    def constant(content: object) -> Callable[[], Awaitable[Response]]:
        async def answer() -> Response:
            return reply(content)

        return answer

    async def model_metadata(request: Request) -> Response:
        known(request)
        return reply(described)

    async def model_ready(request: Request) -> Response:
        known(request)
        return reply({"name": name, "ready": True})

    async def infer(request: Request) -> Response:
        known(request)
        try:
            body = await read_body(request)
            answer = _infer(model, request.headers.get("inference-header-content-length"), body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in found["loc"])
            raise HTTPException(400, f"{place}: {found['msg']}".lstrip(": ")) from None
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        return reply({"model_name": name, "model_version": version, **answer})

    routes.add_api_route("", constant(server))
    routes.add_api_route("/health/live", constant({"live": True}))
    routes.add_api_route("/health/ready", constant({"ready": True}))
    for path in ("/models/{name}", "/models/{name}/versions/{version}"):
        routes.add_api_route(path, model_metadata)
        routes.add_api_route(f"{path}/ready", model_ready)
        routes.add_api_route(f"{path}/infer", infer, methods=["POST"])
    return routes


def _tensor(name: str, values: NDArray[Any], shape: Sequence[int]) -> dict[str, object]:
    return {"name": name, "datatype": NAMES[values.dtype], "shape": list(shape)}


def _metadata(model: Model, version: str) -> dict[str, object]:
    sample = model.schema.sample(0)
    said = zip(model.outputs, model.run(sample), strict=True)
    return {
        "name": model.facts.name,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "inputs": [_tensor(INPUT, sample, (-1, *sample.shape[1:]))],
        "outputs": [_tensor(name, values, (-1, *values.shape[1:])) for name, values in said],
    }


def _infer(model: Model, header: str | None, body: bytes) -> dict[str, object]:
    """The answer without the model's name. Raises ValueError for whatever is wrong."""
    size = len(body) if header is None else int(header)
    if not 0 <= size <= len(body):
        raise ValueError("Inference-Header-Content-Length does not fit the body")
    asked = Inference.model_validate_json(body[:size], strict=True)
    wanted = [output.name for output in asked.outputs] or model.outputs
    if not set(wanted) <= set(model.outputs):
        raise ValueError(f"the outputs of the model are {', '.join(model.outputs)}")
    matrix = _matrix(asked.inputs[0], body[size:], len(model.schema.features))
    model.schema.check(matrix)
    said = dict(zip(model.outputs, model.run(matrix), strict=True))
    outputs = [
        _tensor(name, said[name], said[name].shape) | {"data": said[name].reshape(-1).tolist()}
        for name in wanted
    ]
    return {**({"id": asked.id} if asked.id else {}), "outputs": outputs}


def _matrix(tensor: Tensor, raw: bytes, width: int) -> Matrix:
    """The input tensor as float32 [rows, width]."""
    dtype = NUMPY.get(tensor.datatype)
    if tensor.name != INPUT or dtype is None or tensor.shape[1] != width:
        raise ValueError(f"the input is '{INPUT}', [rows, {width}], one of {', '.join(NUMPY)}")
    size = tensor.parameters.binary_data_size
    if size is not None and size != len(raw):
        raise ValueError("binary_data_size does not fit the body")
    values = np.asarray(tensor.data) if size is None else np.frombuffer(raw, dtype)
    if values.dtype.kind not in "fiu":
        raise ValueError("the data must be numbers")
    with np.errstate(over="ignore"):  # what is too large becomes infinity, which no range holds
        matrix: Matrix = values.astype(np.float32).reshape(tensor.shape)
    return matrix
