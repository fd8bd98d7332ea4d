"""What runs where: each environment's release, age, health, traffic and memory.

Touch this file to show something more. It reads and asks; it changes nothing.
"""

import json
import time
from datetime import datetime
from typing import Any

import psutil

from . import client, envoy, state, supervisor
from .config import Environment, environments
from .console import say, table
from .release import load


def show(as_json: bool = False) -> None:
    """Print the status of every environment."""
    found = [collect(environment) for environment in environments().values()]
    if as_json:
        say(json.dumps(found, indent=2))
        return
    shown = ("environment", "release", "age", "health", "requests", "errors", "memory", "url")
    rows = [
        facts
        | {"age": _duration(facts["age"]), "memory": f"{facts['memory'] / 2**20:.0f} MB"}
        | {"release": facts["release"] or "-"}
        for facts in found
    ]
    table([name.upper() for name in shown], [[str(row[name]) for name in shown] for row in rows])
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
        "age": _since(environment, "deploy", "rollback"),
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
        return "unwatched" if supervisor.leftovers(environment) else "down"
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
    since = _since(environment, "deploy", "rollback", "up")
    for process in facts["processes"]:
        age = time.time() - process["start"]
        if process["statename"] in ("BACKOFF", "FATAL"):
            found.append(f"{process['name']} keeps ending; see {process['stdout_logfile']}")
        elif since is not None and age < since - 1:
            found.append(f"{process['name']} had ended; it was started again {_duration(age)} ago")
    expires = load(facts["release"]).facts["expires"] if facts["release"] else "never"
    if expires < state.now():
        found.append(f"the model expired on {expires[:10]}; bring newer data and make ship")
    return found


def _memory(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    except psutil.Error:
        return 0


def _since(environment: Environment, *actions: str) -> float | None:
    """Seconds since one of the actions was last done, from the audit log."""
    try:
        lines = (environment.folder / "audit.jsonl").read_text("utf-8").splitlines()
        done = [json.loads(line) for line in lines[-100:]]
        times = [x["at"] for x in done if x["result"] == "done" and x["action"] in actions]
        return time.time() - datetime.fromisoformat(times[-1]).timestamp()
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
