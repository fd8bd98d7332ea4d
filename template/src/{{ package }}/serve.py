"""The server: `python -m <package>.serve`. One process, one worker, one model.

`POST /predict` takes named fields; `/v2/...` is the Open Inference Protocol; `/version`,
`/metrics` and `/docs` say what runs and how. Everything about the model comes from the model's own
files, so this file needs no change for another table. Touch it to add an endpoint.
"""

import argparse
import gc
import logging
import os
import sys
from pathlib import Path

import pydantic_core
import uvicorn
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from . import protocol
from .model import ARTIFACTS, Model, ModelError, load
from .openapi import predict_docs
from .schema import InvalidRowsError
from .telemetry import MODEL, PREDICTIONS, JsonLines, Telemetry
from .wire import MAX_ROWS, read_body, reply

KEEP_ALIVE = 75  # seconds; longer than any proxy in front keeps an idle connection
DRAIN = 30  # seconds that running requests have after SIGTERM


def create_app(model: Model, release: str = "unknown") -> ASGIApp:
    """The web application around a model."""
    facts = model.facts
    app = FastAPI(title=facts.name, version=release)
    MODEL.labels(facts.name, release, facts.model_sha256).set(1)
    app.add_exception_handler(HTTPException, _http_error)

    async def predict(request: Request) -> Response:
        try:
            content = pydantic_core.from_json(await read_body(request))
            rows = content if isinstance(content, list) else [content]
            if not 1 <= len(rows) <= MAX_ROWS:
                raise ValueError(f"a list must hold 1 to {MAX_ROWS} rows")
            answers = model.answers(model.schema.encode(rows))
        except HTTPException as error:
            return await _http_error(request, error)
        except InvalidRowsError as error:
            return reply({"detail": error.problems}, 422)
        except ValueError as error:
            problem = {"field": None, "row": None, "message": str(error)}
            return reply({"detail": [problem]}, 422)
        if model.schema.classes:
            for answer in answers:
                PREDICTIONS.labels(answer["prediction"]).inc()
        return reply(answers if isinstance(content, list) else answers[0])

    async def version() -> Response:
        names = ("name", "commit", "model_sha256", "data_fingerprint", "created", "expires")
        return reply({"release": release, **{name: getattr(facts, name) for name in names}})

    async def prometheus() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def home() -> Response:
        return RedirectResponse("/docs")

    app.include_router(protocol.router(model))
    app.add_api_route("/version", version, summary="What runs here")
    app.add_api_route("/metrics", prometheus, summary="Numbers for Prometheus")
    app.add_api_route("/", home, include_in_schema=False)
    app.openapi()["paths"]["/predict"] = {"post": predict_docs(model)}
    # The hot path stands before FastAPI, whose layers would cost as much as all the rest.
    router = Router([Route("/predict", predict, methods=["POST"])], False, app)
    return Telemetry(router, release)


async def _http_error(request: Request, error: Exception) -> Response:
    """The shape of an error: `error` for the protocol's clients, `detail` for all others."""
    status = getattr(error, "status_code", 500)
    key = "error" if request.url.path.startswith("/v2") else "detail"
    response = reply({key: getattr(error, "detail", "internal error")}, status)
    response.headers.update(getattr(error, "headers", None) or {})
    return response


def main() -> int:
    parser = argparse.ArgumentParser(description="Serve the model.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--uds", help="a Unix socket to listen on, instead of host and port")
    parser.add_argument("--model", type=Path, default=ARTIFACTS, help="folder of the model")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, handlers=[JsonLines()])
    try:
        app = create_app(load(options.model), os.environ.get("RELEASE", "unknown"))
    except ModelError as error:
        print(f"error: {error}\n  try: {error.remedy}", file=sys.stderr)
        return 1
    gc.freeze()  # what lives as long as the process need not be looked through again
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        uds=options.uds,
        access_log=False,  # telemetry.py writes the line
        log_config=None,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
