"""Puts a load on a server: with wrk where it is installed, else with our own client."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.client import Summary
from benchmarks.programs import BenchmarkError, Server, environment, on_core

WRK = shutil.which("wrk")
# Left to the scheduler, a server with one connection is now on the core of the load and now on
# another, and its latency doubles or halves with it. So one connection shares the server's core:
# the latency is then the work of both, without the time that a core takes to wake up.
SERVER_CORE, LOAD_CORE = 0, 1

# wrk reports in microseconds. An answer counts when its status is below 400.
_SCRIPT = """
wrk.method = "POST"
wrk.body = {body}
wrk.headers["Content-Type"] = "application/json"
function done(summary, latency, requests)
  local e = summary.errors
  local good = summary.requests - e.status
  io.write(string.format(
    'JSON {{"rate": %f, "p50": %f, "p99": %f, "answers": %d, "failures": %d}}',
    good / summary.duration * 1e6, latency:percentile(50), latency:percentile(99), good,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def generator() -> str:
    """What generates the load, for the report."""
    if WRK is None:
        return "our own client (`benchmarks/client.py`; wrk is not installed)"
    said = subprocess.run([WRK, "-v"], capture_output=True, text=True, check=False)
    return f"wrk {said.stdout.split()[1]}, one thread"


def load(server: Server, connections: int, seconds: float) -> Summary:
    """As many requests as the server answers on so many keep-alive connections."""
    core = SERVER_CORE if connections == 1 else LOAD_CORE
    if WRK is None:
        argv = [sys.executable, str(Path(__file__).with_name("client.py"))]
        argv += [str(server.port), str(connections), str(seconds)]
        said = _run(argv, core, _request(server))
    else:
        script = server.folder / f"{server.port}.lua"
        script.write_text(_SCRIPT.format(body=json.dumps(server.body)))
        argv = [WRK, "-t1", f"-c{connections}", f"-d{round(seconds)}s", "-s", str(script)]
        argv.append(f"http://127.0.0.1:{server.port}{server.path}")
        said = _run(argv, core).partition("JSON ")[2]
    summary = Summary(**json.loads(said))
    if summary.failures or not summary.answers:
        raise BenchmarkError(f"{server.name}: {summary.failures} failures in {summary.answers}")
    return summary


def _run(argv: list[str], core: int, text: str = "") -> str:
    done = subprocess.run(
        argv,
        env=environment(),
        input=text,
        capture_output=True,
        text=True,
        preexec_fn=on_core(core),
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{argv[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def _request(server: Server) -> str:
    head = f"POST {server.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(server.body.encode())}\r\n\r\n{server.body}"
