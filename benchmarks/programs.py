"""Runs programs and servers for a benchmark, times them, and leaves none behind."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.support import IDENTITY, clean_environment


class BenchmarkError(Exception):
    """A program did not do what is measured, so there is nothing to report."""


@dataclass(frozen=True)
class Timed:
    """How long a program took in seconds, and what it printed."""

    seconds: float
    out: str
    err: str


def timed(
    argv: list[str], cwd: Path, env: Mapping[str, str] | None = None, limit: float = 900
) -> Timed:
    """Run a program that must succeed, as a person without a terminal would."""
    started = time.perf_counter()
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except FileNotFoundError:
        raise BenchmarkError(f"{argv[0]} is not installed, or not on PATH") from None
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{argv[0]} did not end within {limit:.0f} s") from None
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-1500:]
        raise BenchmarkError(f"{' '.join(argv)[:200]} ended with {done.returncode}:\n{said}")
    return Timed(seconds, done.stdout, done.stderr)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every program here: no virtual environment, and a git identity."""
    return clean_environment() | IDENTITY | dict(more or {})


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A server to measure: how to start it, and the question that is put to it.

    `folder` is where it runs and where its log goes; `packages` are those whose versions matter.
    """

    name: str
    argv: list[str]
    port: int
    path: str
    body: str
    folder: Path
    python: Path
    packages: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def ask(self, seconds: float = 5) -> str:
        """Put the question once; raises OSError when there is no answer with status 200."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{self.path}",
            data=self.body.encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return str(answer.read().decode())


@dataclass(frozen=True)
class Running:
    """A server that answers. `cold_start` is seconds from its start to its first 200."""

    server: Server
    process: psutil.Popen
    cold_start: float

    def memory(self) -> tuple[float, int]:
        """MiB resident in the process and all its children, and how many processes they are.

        A page that several of them share counts once for each.
        """
        family = [self.process, *self.process.children(recursive=True)]
        return sum(p.memory_info().rss for p in family) / 2**20, len(family)


def on_core(number: int | None) -> Callable[[], None] | None:
    """What a new process does first to stay on one core; nothing where there are not enough."""
    cores = sorted(os.sched_getaffinity(0))
    if number is None or len(cores) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {cores[number]})


@contextmanager
def running(server: Server, limit: float = 60, core: int | None = None) -> Iterator[Running]:
    """Start a server, wait until it answers its question, stop it and its children."""
    started = time.perf_counter()
    log = server.folder / f"{server.port}.log"
    with log.open("w") as file:
        process = psutil.Popen(
            server.argv,
            cwd=server.folder,
            env=environment(server.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            preexec_fn=on_core(core),
        )
    try:
        yield Running(server, process, _first_answer(server, process, started, limit, log))
    finally:
        _end(process)


def _first_answer(
    server: Server, process: psutil.Popen, started: float, limit: float, log: Path
) -> float:
    while (seconds := time.perf_counter() - started) < limit:
        with suppress(OSError):
            server.ask()
            return time.perf_counter() - started
        if process.poll() is not None:
            raise BenchmarkError(f"{server.name} ended: {log.read_text()[-1500:]}")
        time.sleep(0.005)
    raise BenchmarkError(f"{server.name} did not answer in {seconds:.0f} s")


def _end(process: psutil.Popen) -> None:
    """Ask a server to stop, then insist; its children too."""
    with suppress(psutil.NoSuchProcess):
        family = process.children(recursive=True)
        process.terminate()
        psutil.wait_procs([process], timeout=15)
        for one in [process, *family]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs([process, *family], timeout=15)
