"""Talking HTTP to a port or a Unix socket, and waiting for something to become true."""

import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import httpx

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nothing here is encrypted: load no certificates


def connect(target: Path | str, timeout: float = 5.0) -> httpx.Client:
    """A client of a server at a URL or at a Unix socket. Its calls raise httpx.HTTPError."""
    if isinstance(target, str):
        return httpx.Client(base_url=target, timeout=timeout, verify=PLAIN, trust_env=False)
    door = httpx.HTTPTransport(uds=str(target), verify=PLAIN)
    return httpx.Client(base_url="http://socket", timeout=timeout, transport=door)


def is_ready(target: Path | str) -> bool:
    """Whether a server says that it is ready to predict."""
    try:
        with connect(target, timeout=2) as client:
            return client.get("/v2/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def patience(seconds: float) -> float:
    """As long as what takes that many seconds may take with all else that the machine does now."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(true: Callable[[], object], seconds: float) -> bool:
    """Wait until something is true; False when it is not after that many seconds, or `patience`."""
    started = time.monotonic()
    while not true():
        if time.monotonic() - started > patience(seconds):
            return False
        time.sleep(0.01)
    return True
