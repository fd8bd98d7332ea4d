"""The server: `python -m <package>.serve`. One process, one worker, one model.

`POST /predict` takes named fields; `/v2/...` is the Open Inference Protocol; `/version`, `/metrics`
and `/docs` say what runs and how. It fits any table. Touch this file to add an endpoint.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pydantic_core
import uvicorn
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import faults
from .model import ARTIFACTS, Model, ModelError, load
from .protocol import MAX_ROWS, constant, read_body, router
from .telemetry import MODEL, JsonLines, count, log, metrics, refuse, telemetry

SETTINGS: dict[str, Any] = {"lifespan": "off", "ws": "none", "server_header": False}
SETTINGS |= {"access_log": False, "log_config": None}  # telemetry.py writes the lines
SETTINGS |= {"timeout_keep_alive": 75}  # seconds; longer than any proxy keeps an idle connection
SETTINGS |= {"timeout_graceful_shutdown": 30}  # seconds that requests have after SIGTERM


class Joined:
    """A connection on which all that is written in one turn of the event loop goes out as one."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._parts = transport, list[bytes]()

    def write(self, data: bytes) -> None:
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(data)

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts = self._parts, []
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        self._flush()
        return getattr(self._transport, name)


class WholeAnswers(HttpToolsProtocol):
    """Sends an answer whole: when a process dies, a proxy asks another one, but not for a half."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = Joined(transport)  # type: ignore[assignment]


def create_app(model: Model, release: str = "unknown") -> ASGIApp:
    """The web application around a model."""
    facts = model.facts
    names = ("name", "commit", "model_sha256", "data_fingerprint", "created", "expires")
    told = {"release": release, **{name: getattr(facts, name) for name in names}}
    app = FastAPIOffline(title=facts.name, version=release)
    MODEL.labels(facts.name, release, facts.model_sha256).set(1)
    model.answers(model.schema.encode([facts.example]))  # a fault shows before the first client

    async def predict(request: Request) -> Response:
        try:
            content = pydantic_core.from_json(await read_body(request))
            rows = content if isinstance(content, list) else [content]
            if not 1 <= len(rows) <= MAX_ROWS:
                raise ValueError(f"a list must hold 1 to {MAX_ROWS} rows")
            columns = model.schema.encode(rows)
        except (HTTPException, ValueError) as error:
            problems = refuse(request.scope, error)
            return JSONResponse({"detail": problems}, getattr(error, "status_code", 422))
        answers = model.answers(columns)
        named = (answer["prediction"] if model.schema.classes else "" for answer in answers)
        count(request.scope, named)
        said = pydantic_core.to_json(answers if isinstance(content, list) else answers[0])
        return Response(said, media_type="application/json")

    async def explain(request: Request, error: Any) -> Response:
        key = "error" if request.url.path.startswith("/v2") else "detail"
        if key == "error" and error.status_code == 404:
            error.detail = f"this server has the model {facts.name} alone"
        return JSONResponse({key: error.detail}, error.status_code, error.headers)

    async def fail(request: Request, error: Exception) -> Response:
        """What the gate did not find: a line in the log, and no details for a client."""
        log("error", message=str(error))
        return await explain(request, HTTPException(500, "the model cannot answer this"))

    app.add_exception_handler(HTTPException, explain)
    app.add_exception_handler(ModelError, fail)
    app.include_router(router(model))
    app.add_api_route("/version", constant(told), summary="What runs here")
    app.add_api_route("/metrics", metrics, summary="Numbers for Prometheus")
    app.add_route("/", lambda _: RedirectResponse("/docs"))
    app.openapi()["paths"]["/predict"] = {"post": predict_docs(model)}
    others = Router([Route("/predict", predict, methods=["POST"])], False, app)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        # The hot path goes past the layers of FastAPI, which cost as much as all the rest.
        if scope["path"] == "/predict" and scope["method"] == "POST":
            scope["endpoint"] = predict
            request = Request(scope, receive)
            try:
                response = await predict(request)
            except ModelError as error:
                response = await fail(request, error)
            await response(scope, receive, send)
        else:
            head = {"method": "GET"} if scope["method"] == "HEAD" else {}  # uvicorn sends no body
            inner = {**scope, **head}
            await others(inner, receive, send)
            scope.update({key: inner[key] for key in ("endpoint", "route") if key in inner})

    return telemetry(door, release)


def predict_docs(model: Model) -> dict[str, Any]:
    """What OpenAPI says about `/predict`, made from the model's schema."""
    example = model.facts.example
    row = {
        "type": "object",
        "properties": {feature.name: feature.json_schema for feature in model.schema.features},
        "required": [feature.name for feature in model.schema.features if not feature.missing],
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}
    examples = {"one row": {"value": example}, "several rows": {"value": [example, example]}}
    content = {"application/json": {"schema": {"anyOf": [row, rows]}, "examples": examples}}
    said = {"200": "The prediction", "413": "Too large", "422": "What is wrong, by row and field"}
    return {
        "summary": f"Predict {model.schema.subject} for one row, or for a list of rows in order",
        "requestBody": {"required": True, "content": content},
        "responses": {status: {"description": text} for status, text in said.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the model.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--uds", help="a Unix socket to listen on, instead of host and port")
    parser.add_argument("--model", type=Path, default=ARTIFACTS, help="folder of the model")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, handlers=[JsonLines()])
    with faults.told():
        app = create_app(load(options.model), os.environ.get("RELEASE") or "unknown")
    gc.freeze()  # what lives as long as the process need not be looked through again
    address = (options.host, options.port, options.uds)
    config = uvicorn.Config(app, *address, http=WholeAnswers, **SETTINGS)
    config.load()
    # Before the end: answers ask clients to connect anew, which brings them to another process.
    close = (b"connection", b"close")
    signal.signal(signal.SIGUSR1, lambda *_: config.encoded_headers.append(close))
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
