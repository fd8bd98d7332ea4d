"""What the server tells about itself: a JSON line a request, and numbers for Prometheus.

Neither ever holds a feature's value. Touch this file to log or count one more thing.
"""

import contextlib
import functools
import logging
import os
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic_core
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client import values as kept
from prometheus_client.metrics import Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Where the processes of a release add up what they count; without it each counts for itself.
if SHARED := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    REPLICA = os.environ.get("REPLICA") or str(os.getpid())  # containers: all have the same pid
    kept.ValueClass = kept.MultiProcessValue(lambda: REPLICA)  # type: ignore[no-untyped-call]
    FILES = [Path(SHARED, f"{kind}_{REPLICA}.db") for kind in ("counter", "gauge_max", "histogram")]
    try:  # a count that finds no room on the disk ends the process (SIGBUS), so take room before
        Path(SHARED).mkdir(parents=True, exist_ok=True)
        for file in FILES:
            if not file.exists():
                file.write_bytes(bytes(1 << 17))
    except OSError:  # the disk is full: this process counts for itself
        SHARED, kept.ValueClass = None, kept.MutexValue
        for file in FILES:
            file.unlink(missing_ok=True)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
# Whose requests: of `client`s, or of the pipeline, which probes; and of which release, as several
# may answer at one address.
WHOSE = ("traffic", "release")
TIME, LABELS = "http_request_duration_seconds", ("method", "route", "status", *WHOSE)
REQUESTS = Histogram(TIME, "Requests and their time.", LABELS, buckets=SECONDS)
PREDICTIONS = Counter("predictions", "Rows predicted, by class.", ("prediction", *WHOSE))
REFUSED = Counter("refused_rows", "Rows refused, by field and cause.", ("field", "cause", *WHOSE))
CAUSES = {"is missing": "missing", "is not a field of this model": "unknown"}
WHAT = ("name", "release", "sha256")
MODEL = Gauge("model_info", "The model that serves.", WHAT, multiprocess_mode="max")
SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# Finding a label's number costs more than counting.
requests, predicted = functools.cache(REQUESTS.labels), functools.cache(PREDICTIONS.labels)


def count(scope: Scope, classes: Iterable[str]) -> None:
    """Count rows that were predicted, by class; numbers have the class ""."""
    tally: dict[str, int] = {}
    for name in classes:
        tally[name] = tally.get(name, 0) + 1
    for name, rows in tally.items():
        predicted(name, scope["traffic"], scope["release"]).inc(rows)


def refuse(scope: Scope, error: Exception) -> list[dict[str, Any]]:
    """Count what was wrong with rows, and say it; a field that only the client knows is counted
    without its name."""
    whole = [{"row": None, "field": None, "message": getattr(error, "detail", str(error))}]
    problems: list[dict[str, Any]] = getattr(error, "problems", whole)
    for problem in problems:
        cause = CAUSES.get(problem["message"], "value" if problem["field"] else "body")
        field = (problem["field"] or "") if cause != "unknown" else ""
        REFUSED.labels(field, cause, scope["traffic"], scope["release"]).inc()
    return problems


async def metrics() -> Response:
    """Everything counted, by all processes that share the folder."""
    registry = CollectorRegistry() if SHARED else REGISTRY
    if SHARED:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@functools.lru_cache(1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def log(level: str, **content: object) -> None:
    """Write one JSON line to stdout, whole and at once. A closed stdout stops no request."""
    now = time.time()
    told = {"time": f"{_second(int(now))}.{int(now % 1 * 1000):03}+00:00", "level": level}
    line = pydantic_core.to_json({**told, **content}, fallback=str)
    with contextlib.suppress(OSError):
        os.write(1, line + b"\n")


class JsonLines(logging.Handler):
    """Python's own logging, uvicorn's too, as the same JSON lines."""

    def emit(self, record: logging.LogRecord) -> None:
        log(record.levelname.lower(), logger=record.name, message=self.format(record))


def telemetry(app: ASGIApp, release: str) -> ASGIApp:
    """ASGI middleware: gives every request an id, a log line and its place in the metrics."""

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        probe = (b"x-probe", b"1") in scope["headers"]
        scope.update(release=release, traffic="probe" if probe else "client")
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if SAFE_ID.fullmatch(given) else os.urandom(16).hex().encode()
        status = 500  # what uvicorn answers, and logs, when we fail to

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = 499  # the usual number for it; no client ever sees it
        finally:
            seconds = time.perf_counter() - started
            plain = scope["path"] if "endpoint" in scope and status != 404 else "unknown"
            # As the route spells it, `/users/{name}`, so that names do not multiply the metrics.
            path = getattr(scope.get("route"), "path", plain)
            requests(scope["method"], path, status, scope["traffic"], release).observe(seconds)
            told = {"method": scope["method"], "path": path, "status": status}
            told |= {"ms": round(seconds * 1000, 3), "release": release}
            if status >= 400 or not scope["path"].startswith("/v2/health"):  # asked every second
                log("error" if status >= 500 else "info", request_id=request_id, **told)

    return observed
