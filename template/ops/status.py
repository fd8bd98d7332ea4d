"""What runs where: each environment's release, age, health, traffic and memory.

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

SHOWN = ("environment", "release", "age", "health", "requests", "errors", "memory", "url")
STARTING = 5  # seconds within which the processes of a change start


def show(as_json: bool = False) -> None:
    """Print the status of every environment."""
    found = []
    for environment in environments().values():
        try:
            found.append(collect(environment))
        except OpsError as error:  # the others are shown all the same
            broken = dict.fromkeys(SHOWN) | {"environment": environment.name}
            remark = f"{error.cause}; {error.remedy}"
            found.append(broken | {"health": "broken", "memory": 0, "remarks": [remark]})
    if as_json:
        say(json.dumps(found, indent=2))
        return
    rows = [
        facts
        | {"age": _duration(facts["age"]), "memory": f"{facts['memory'] / 2**20:.0f} MB"}
        | {"release": facts["release"] or "-"}
        for facts in found
    ]
    table([name.upper() for name in SHOWN], [[str(row[name]) for name in SHOWN] for row in rows])
    for facts in found:
        for remark in facts["remarks"]:
            say(f"{facts['environment']}: {remark}")


def collect(environment: Environment) -> dict[str, Any]:
    """The facts about one environment, as JSON values. Memory is in bytes, age in seconds."""
    wanted = state.read(environment)
    running = supervisor.processes(environment)
    facts: dict[str, Any] = {
        "environment": environment.name,
        "url": environment.url,
        "release": wanted.serving,
        "previous": wanted.previous,
        "candidate": wanted.candidate,
        "age": _since(environment),
        "memory": sum(_memory(process.pid) for process in running),
        "processes": [process._asdict() for process in running],
        "ready": 0,
        "replicas": environment.replicas,
        "requests": 0,
        "errors": 0,
    }
    if wanted.serving:
        counted = envoy.counts(environment, wanted.serving)
        facts |= {"requests": counted["total"], "errors": counted["errors"]}
        sockets = supervisor.sockets(environment, wanted.serving)
        facts |= {"ready": sum(map(client.is_ready, sockets)), "replicas": len(sockets)}
    facts["health"] = _health(environment, facts)
    return facts | {"remarks": _remarks(environment, facts)}


def _health(environment: Environment, facts: dict[str, Any]) -> str:
    if not facts["processes"]:
        return "unwatched" if supervisor.marked(environment) else "down"
    if facts["release"] is None:
        return "empty"
    if not client.is_ready(environment.url):
        return "failing"
    return f"{facts['ready']}/{facts['replicas']} ready"


def _remarks(environment: Environment, facts: dict[str, Any]) -> list[str]:
    """What a person should know or do, a line each."""
    name, found = environment.name, []
    if facts["health"] == "unwatched":
        found.append(f"the supervisor is gone, its processes go on; make up ENV={name}")
    elif facts["health"] == "down" and facts["release"]:
        found.append(f"not running; make up ENV={name}")
    if facts["candidate"]:
        found.append(f"{facts['candidate']} is on its way in, or was cut off; make up ENV={name}")
    if facts["previous"]:
        found.append(f"make rollback ENV={name} gives the traffic back to {facts['previous']}")
    for process in facts["processes"]:
        age = time.time() - process["start"]
        if process["statename"] in ("BACKOFF", "FATAL"):
            found.append(f"{process['name']} keeps ending; see {process['stdout_logfile']}")
        elif facts["age"] and age < facts["age"] - STARTING:
            found.append(f"{process['name']} had ended; it was started again {_duration(age)} ago")
    expires = load(facts["release"]).expires if facts["release"] else "never"
    if expires < state.now():
        found.append(f"the model expired on {expires[:10]}; bring newer data and make ship")
    return found


def _memory(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    except psutil.Error:
        return 0


def _since(environment: Environment) -> float | None:
    """Seconds since the state last changed, which is when its processes were started."""
    path = environment.folder / "state.json"
    return time.time() - path.stat().st_mtime if path.exists() else None


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
