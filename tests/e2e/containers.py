"""Runs containers for tests, as production would, and leaves none behind."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import run, sh

CONFINED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")


@dataclass(frozen=True)
class Box:
    """A container, and the port on this machine that leads to its port 8080."""

    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def docker(*words: str | Path) -> str:
    """What the docker client prints; it must succeed."""
    return sh(os.environ["DOCKER"], *words)


def inspect(name: str) -> dict[str, Any]:
    """What the engine knows about an image or a container."""
    [facts] = json.loads(docker("inspect", name))
    return dict(facts)


@contextmanager
def box(image: str, *options: str, arguments: tuple[str, ...] = ()) -> Iterator[Box]:
    """Run an image; unless it was given other arguments it is ready when the block begins."""
    published = ("--detach", "--publish", "127.0.0.1::8080")
    name = docker("run", *published, *CONFINED, *options, image, *arguments).strip()
    try:
        where = docker("port", name, "8080").split()[0]
        made = Box(name, int(where.rpartition(":")[2]))
        deadline = time.monotonic() + 60
        while not arguments and not _is_ready(made):
            assert time.monotonic() < deadline, docker("logs", name)
            time.sleep(0.01)
        yield made
    finally:
        run(os.environ["DOCKER"], "rm", "--force", name)


def _is_ready(box: Box) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    return False
