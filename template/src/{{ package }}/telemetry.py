"""What the server tells about itself: a JSON line a request, and numbers for Prometheus.

A line names the route and the outcome and never a feature's value. Touch this file to log or
count one more thing.
"""

import contextlib
import functools
import logging
import os
import re
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import prometheus_client
import pydantic_core
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Where the processes of a release add up what they count; without it each counts for itself.
if SHARED := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(SHARED).mkdir(parents=True, exist_ok=True)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
LABELS = ("method", "route", "status")
REQUESTS = Histogram("http_request_seconds", "Requests and their time.", LABELS, buckets=SECONDS)
PREDICTIONS = Counter("predictions", "Rows predicted, by class.", ("prediction",))
WHAT = ("name", "release", "sha256")
MODEL = Gauge("model_info", "The model that serves.", WHAT, multiprocess_mode="max")

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
CLIENT_LEFT = 499  # the usual number for it; no client ever sees it
STDOUT = 1

requests = functools.cache(REQUESTS.labels)  # finding a label's number costs more than counting


def metrics() -> bytes:
    """Everything counted, by all processes that share the folder, in Prometheus' text format."""
    registry = CollectorRegistry() if SHARED else REGISTRY
    if SHARED:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return prometheus_client.generate_latest(registry)


def log(level: str, **content: object) -> None:
    """Write one JSON line to stdout, whole and at once. A closed stdout stops no request."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = pydantic_core.to_json({"time": now, "level": level, **content}, fallback=str)
    with contextlib.suppress(OSError):
        os.write(STDOUT, line + b"\n")


class JsonLines(logging.Handler):
    """Python's own logging, uvicorn's too, as the same JSON lines."""

    def emit(self, record: logging.LogRecord) -> None:
        log(record.levelname.lower(), logger=record.name, message=self.format(record))


def telemetry(app: ASGIApp, release: str) -> ASGIApp:
    """ASGI middleware: gives every request an id, a log line and its place in the metrics."""

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if SAFE_ID.fullmatch(given) else os.urandom(16).hex().encode()
        status, problem = 0, {}

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = CLIENT_LEFT
        except Exception:
            problem = {"error": traceback.format_exc()}
            if not status:
                answer = JSONResponse({"detail": "internal error"}, 500)
                await answer(scope, receive, send_with_id)
        seconds = time.perf_counter() - started
        method = scope["method"] if scope["method"] in METHODS else "other"
        # As the route spells it, `/models/{name}`, so that names do not multiply the metrics.
        route = scope["route"].path if "route" in scope else scope["path"]
        route = route if "endpoint" in scope else "unknown"
        requests(method, route, status).observe(seconds)
        level = "error" if problem or status >= 500 else "info"
        told = {"method": method, "path": route, "status": status, "ms": round(seconds * 1000, 3)}
        log(level, request_id=request_id, **told, release=release, **problem)

    return observed
