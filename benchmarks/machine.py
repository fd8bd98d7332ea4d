"""What a number is worth nothing without: the machine, and the versions of what was measured."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import psutil

from benchmarks.programs import timed

_ASK = (
    "import importlib.metadata as m, json, sys; "
    "print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
)


def facts() -> dict[str, str]:
    """The machine, without a name or a path of it."""
    return {
        "processor": f"{_model()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{_system()}, {platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "git": timed(["git", "--version"], Path.cwd()).out.split()[2],
        "uv": timed(["uv", "--version"], Path.cwd()).out.split()[1],
    }


def versions(python: Path, *packages: str) -> dict[str, str]:
    """Versions of packages as an interpreter sees them."""
    found: dict[str, str] = json.loads(timed([str(python), "-c", _ASK, *packages], Path.cwd()).out)
    return found


def load_average() -> float:
    """Processes that wanted a core in the last minute; a number above 0.5 at the start is noise."""
    return os.getloadavg()[0]


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return found[0] if found else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)
