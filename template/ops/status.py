"""What runs where: each environment's release, age, health, traffic and memory (MB).

Touch this file to show something more. It reads and asks; it changes nothing.
"""

import json
import time
from typing import Any

import psutil

from . import client, envoy, state, supervisor
from .config import Environment, OpsError, environments
from .console import say, table
from .release import load

HEAD = ("ENVIRONMENT", "RELEASE", "AGE", "HEALTH", "REQUESTS", "ERRORS", "MB", "URL")
STARTING = 5  # seconds within which the processes of a change start


def show(as_json: bool = False) -> None:
    """Print the status of every environment."""
    found = [collect(environment) for environment in environments().values()]
    if as_json:
        say(json.dumps(found, indent=2))
        return
    keys = ("environment", "release", "since", "health", "requests", "errors", "megabytes", "url")
    table(HEAD, [[str(facts[key]) for key in keys] for facts in found])
    for facts in found:
        for remark in facts["remarks"]:
            say(f"{facts['environment']}: {remark}")


def collect(environment: Environment) -> dict[str, Any]:
    """The facts about one environment, as JSON values."""
    name, running = environment.name, supervisor.processes(environment)
    path = environment.folder / "state.json"  # written just before processes are started
    age = time.time() - path.stat().st_mtime if path.exists() else None
    facts: dict[str, Any] = {"environment": name, "url": environment.url, "release": "-"}
    facts |= {"since": _duration(age), "megabytes": sum(_megabytes(p.pid) for p in running)}
    facts |= {"processes": [process._asdict() for process in running], "requests": 0, "errors": 0}
    try:
        wanted = state.read(environment)
        expires = load(wanted.serving).expires if wanted.serving else "never"
    except OpsError as error:
        return facts | {"health": "broken", "remarks": [f"{error.cause}; {error.remedy}"]}
    facts |= {"previous": wanted.previous, "candidate": wanted.candidate, "remarks": []}
    remarks: list[str] = facts["remarks"]
    if wanted.serving:
        sockets = supervisor.sockets(environment, wanted.serving)
        ready = sum(map(client.is_ready, sockets))
        facts |= envoy.counts(environment, wanted.serving) | {"release": wanted.serving}
        facts["health"] = f"{ready}/{len(sockets)} ready"
    if running and wanted.serving and not client.is_ready(environment.url):
        facts["health"] = "failing"
    elif not running and supervisor.marked(environment):
        facts["health"] = "unwatched"
        remarks.append(f"the supervisor is gone, its processes go on; make up ENV={name}")
    elif not running or not wanted.serving:
        facts["health"] = "down" if not running else "empty"
        remarks += [f"not running; make up ENV={name}"] if wanted.serving else []
    if wanted.candidate:
        remarks.append(f"{wanted.candidate} is on its way in, or was cut off; make up ENV={name}")
    if wanted.previous:
        remarks.append(f"make rollback ENV={name} gives the traffic back to {wanted.previous}")
    for process in running:
        ago = time.time() - process.start
        if process.statename in ("BACKOFF", "FATAL"):
            remarks.append(f"{process.name} keeps ending; see {process.stdout_logfile}")
        elif age and ago < age - STARTING:
            remarks.append(f"{process.name} had ended; it was started again {_duration(ago)} ago")
    if expires < state.now():
        remarks.append(f"the model expired on {expires[:10]}; bring newer data and make ship")
    return facts


def _megabytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss / 2**20) if pid else 0
    except psutil.Error:
        return 0


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
