"""What an environment remembers: which release serves, who is at work on it, what was done.

    .state/production/state.json    what should run; the machine is made to match it
    .state/production/lock          who is changing it now, since when and why
    .state/production/audit.jsonl   one line for every action, the newest last

Touch this file to remember something more. It starts nothing and sends nothing.
"""

import contextlib
import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .config import Environment, OpsError

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


def read(environment: Environment) -> State:
    """The remembered state; an empty one before the first deploy."""
    path = environment.folder / "state.json"
    try:
        return State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return State()
    except (ValueError, OSError):
        name = environment.name
        remedy = f"make down ENV={name}, delete the file, then make deploy ENV={name}"
        raise OpsError(f"{path} is broken", remedy) from None


def write(environment: Environment, state: State) -> None:
    """Remember a state; a reader sees the old one or the new one, never a part."""
    replace(environment.folder / "state.json", state.model_dump_json(indent=2) + "\n")


def replace(path: Path, text: str) -> None:
    """Write beside the path, flush to the disk, then rename over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def actor() -> str:
    """Who acts: the person in CI when there is one, else the login and host."""
    person = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        person = person or f"{getpass.getuser()}@{socket.gethostname()}"
    return person or f"uid {os.getuid()}"


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextlib.contextmanager
def changing(environment: Environment, action: str, what: str, why: str) -> Iterator[None]:
    """Hold the environment for one change and write it into the audit log, however it ends.

    A second one at the same time is refused. The kernel's lock goes with the process.
    """
    started, result = time.monotonic(), "done"
    environment.folder.mkdir(parents=True, exist_ok=True)
    with (environment.folder / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            cause = f"{environment.name} is being changed by {file.read().strip() or 'another'}"
            raise OpsError(cause, "wait until that has ended, then again") from None
        file.truncate(0)
        file.write(f"{actor()} since {now()} (pid {os.getpid()}): {action} {what} {why}\n")
        file.flush()
        try:
            yield
        except BaseException as error:
            result = error.cause if isinstance(error, OpsError) else type(error).__name__
            raise
        finally:
            line = {"at": now(), "who": actor(), "action": action, "release": what, "why": why}
            line |= {"result": result, "seconds": f"{time.monotonic() - started:.3f}"}
            with (environment.folder / "audit.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.truncate(0)
