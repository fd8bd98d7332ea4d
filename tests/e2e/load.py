"""A load of HTTP requests that never forgives: no retry, every failure counted.

Run as a program: it sends until its standard input closes, then prints a JSON tally. A failure
is any answer but 200, a connection that is refused or cut off, or no answer within ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Tally:
    """Requests that got a 200, failures by kind, answers by release, and the longest silence."""

    ok: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


async def request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
) -> tuple[int, str, bool]:
    """Send one request; return its status, the release that answered, and whether it closes."""
    writer.write(data)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    if "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
    else:
        while (size := int(await reader.readline(), 16)) >= 0:
            await reader.readexactly(size + 2)
            if size == 0:
                break
    closes = headers.get("connection") == "close"
    return int(head[0].split()[1]), headers.get("x-release", "?"), closes


async def client(
    port: int, data: bytes, close: bool, pause: float, stop: asyncio.Event, tally: Tally
) -> None:
    """One connection after another (close) or one for as long as it lives (keep-alive)."""
    writer: asyncio.StreamWriter | None = None
    while not stop.is_set():
        started = time.perf_counter()
        try:
            async with asyncio.timeout(10):
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                status, release, closes = await request(reader, writer, data)
            tally.ok += status == 200
            tally.releases[release] += 1
            if status != 200:
                tally.failures[f"status {status}"] += 1
        except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError) as error:
            tally.failures[f"{type(error).__name__}: {error}"] += 1
            closes = True
        tally.slowest = max(tally.slowest, time.perf_counter() - started)
        if (close or closes) and writer is not None:
            writer.close()
            writer = None
        if pause:
            await asyncio.sleep(pause)
    if writer is not None:
        writer.close()


async def run(port: int, row: str, connections: int, close: bool, pause: float) -> Tally:
    """Load the port until standard input closes."""
    body = row.encode()
    kept = "close" if close else "keep-alive"
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: {kept}\r\nContent-Length: {len(body)}"
    data = f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body
    tally, stop = Tally(), asyncio.Event()
    clients = []
    for number in range(connections):
        clients.append(asyncio.create_task(client(port, data, close, pause, stop, tally)))
        if pause:
            await asyncio.sleep(pause / connections if number else 0)
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await asyncio.gather(*clients)
    return tally


@dataclass
class Load:
    """A load under way in a process of its own; `tally` is there once it has ended."""

    process: subprocess.Popen[str]
    tally: Tally | None = None

    def end(self) -> Tally:
        """Stop it and read what it counted."""
        if self.tally is None:
            out, _ = self.process.communicate()
            raw: dict[str, Any] = json.loads(out)
            self.tally = Tally(
                raw["ok"], Counter(raw["failures"]), Counter(raw["releases"]), raw["slowest"]
            )
        return self.tally


@contextmanager
def load(
    port: int, row: Any, connections: int = 16, close: bool = False, pause: float = 0.0
) -> Iterator[Load]:
    """Keep a load on a port while the block runs."""
    command = [sys.executable, str(Path(__file__)), str(port), json.dumps(row)]
    command += ["--connections", str(connections), "--pause", str(pause)]
    process = subprocess.Popen(
        command + ["--close"] * close, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    under_way = Load(process)
    try:
        yield under_way
    finally:
        under_way.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("row")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--close", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0)
    given = parser.parse_args()
    counted = asyncio.run(run(given.port, given.row, given.connections, given.close, given.pause))
    print(json.dumps(counted.__dict__))
