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

import pydantic_core
from prometheus_client import Counter, Gauge, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .wire import reply

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
LABELS = ("method", "route", "status")
REQUESTS = Histogram("http_request_seconds", "Requests and their time.", LABELS, buckets=SECONDS)
PREDICTIONS = Counter("predictions", "Rows predicted, by class.", ("prediction",))
MODEL = Gauge("model_info", "The model that serves.", ("name", "release", "sha256"))

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
CLIENT_LEFT = 499  # the usual number for it; no client ever sees it
STDOUT = 1

requests = functools.cache(REQUESTS.labels)  # finding a label's number costs more than counting


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


class Telemetry:
    """ASGI middleware: gives every request an id, a log line and its place in the metrics."""

    def __init__(self, app: ASGIApp, release: str) -> None:
        self._app = app
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        problem = {}
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = CLIENT_LEFT
        except Exception:
            problem = {"error": traceback.format_exc()}
            if not status:
                await reply({"detail": "internal error"}, 500)(scope, receive, send_with_id)
        seconds = time.perf_counter() - started
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = _template(scope)
        requests(method, route, status).observe(seconds)
        log(
            "error" if problem or status >= 500 else "info",
            request_id=request_id,
            method=method,
            path=route,
            status=status,
            ms=round(seconds * 1000, 3),
            release=self._release,
            **problem,
        )


def _template(scope: Scope) -> str:
    """The path as the route spells it, `/models/{name}`, so that names do not multiply metrics."""
    if "route" in scope:
        return str(scope["route"].path)
    return str(scope["path"]) if "endpoint" in scope else "unknown"


def _request_id(scope: Scope) -> bytes:
    """The caller's id when it is short and safe to repeat, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SAFE_ID.fullmatch(value):
            return bytes(value)
    return os.urandom(16).hex().encode()
