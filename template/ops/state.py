"""What an environment should run, who acts, who made a release, and how a program is run.

Touch this file to remember something more. It knows of no engine and sends nothing.
"""

import contextlib
import getpass
import os
import re
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .config import ROOT, OpsError

HISTORY = 10  # accepted releases remembered, so that a rollback has somewhere to go


class State(BaseModel):
    """What an environment should run.

    `history` holds the releases that took all the traffic, oldest first: the last one serves, the
    one before it stays warm. `candidate` is on its way in, with `weight` percent of the traffic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    history: list[str] = []
    candidate: str | None = None
    weight: Annotated[int, Field(ge=0, lt=100)] = 0

    @property
    def serving(self) -> str | None:
        return self.history[-1] if self.history else None

    @property
    def previous(self) -> str | None:
        return self.history[-2] if len(self.history) > 1 else None

    @property
    def running(self) -> list[str]:
        """Every release that should have processes."""
        wanted = (self.serving, self.previous, self.candidate)
        return list(dict.fromkeys(name for name in wanted if name))

    @property
    def weights(self) -> dict[str, int]:
        """Percent of the traffic by release; adds up to 100, empty when nothing serves."""
        shares = {self.serving: 100 - self.weight, self.candidate: self.weight}
        return {name: share for name, share in shares.items() if name and share}

    def accept(self, release: str) -> "State":
        """The release takes over; the one that served becomes the previous."""
        kept = [name for name in self.history if name != release]
        return State(history=[*kept, release][-HISTORY:])


def replace(path: Path, text: str) -> None:
    """Write beside the path, flush to the disk, then rename over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def run(*command: str, env: dict[str, str] | None = None, remedy: str = "") -> str:
    """Run a program in the repository and return what it printed; its last line is the cause."""
    variables = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | (env or {})
    try:
        program = os.environ.get("UV", "uv") if command[0] == "uv" else command[0]
        words = [program, *command[1:]]
        done = subprocess.run(
            words, cwd=ROOT, env=variables, check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise OpsError(f"{command[0]} is not installed", f"install {command[0]}") from None
    except subprocess.CalledProcessError as error:
        lines = (error.stderr.strip() or error.stdout.strip()).splitlines() or ["no message"]
        raise OpsError(f"{' '.join(command[:3])}: {lines[-1]}", remedy) from None
    return done.stdout


def person() -> str | None:
    """Who acts in CI, which knows whom it let in."""
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")


def actor() -> str:
    """Who acts: the person in CI when there is one, else the login and host."""
    name = person()
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        name = name or f"{getpass.getuser()}@{socket.gethostname()}"
    return name or f"uid {os.getuid()}"


def authors() -> list[str]:
    """Who made the commit that is checked out, or all that a merge brings, and who builds it.

    By name, mail address, and login, as CI vendors write it into private addresses.
    """
    form = ("git", "log", "--format=%an <%ae>%n%(trailers:key=Co-authored-by,valueonly)")
    since = os.environ.get("CI_COMMIT_BEFORE_SHA", "").strip("0") or "HEAD^1"
    try:
        found = run(*form, "--no-merges", f"{since}..HEAD")
    except OpsError:  # there is none before it, or not in this clone
        found = ""
    people = re.findall(r"(.*) <((?:\d+[+-])?([^@>]*)[^>]*)>", found or run(*form, "-1"))
    told = [person() or people[0][0], *os.environ.get("AUTHORS", "").split()]
    return sorted({word for one in people for word in one} | set(told))


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
