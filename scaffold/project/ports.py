"""Finds three neighbouring ports that nothing on this machine uses, for a new project."""

import re
import socket
from pathlib import Path

FIRST, STEP, LAST = 8001, 10, 8991
ENVIRONMENTS = 3  # test, staging, production
_PORT = re.compile(r"^port: (\d+)$", re.MULTILINE)


def free_base(beside: Path) -> int:
    """Return the first base whose three ports are free, and not promised to a project beside."""
    promised = _promised(beside)
    for base in range(FIRST, LAST + 1, STEP):
        wanted = range(base, base + ENVIRONMENTS)
        if not promised.intersection(wanted) and all(_is_free(port) for port in wanted):
            return base
    return FIRST


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without it a port that was closed a minute ago counts as busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _promised(folder: Path) -> set[int]:
    """Return the ports of the projects in a folder, running or not."""
    ports: set[int] = set()
    for answers in folder.glob("[!.]*/.copier-answers.yml"):
        try:
            found = _PORT.search(answers.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        if found:
            ports.update(range(int(found[1]), int(found[1]) + ENVIRONMENTS))
    return ports
