"""What `environments.toml` and `pyproject.toml` say, checked and typed.

Touch this file when an environment needs a new setting. It reads files and starts nothing.
"""

import hashlib
import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state"
FILE = Path(__file__).with_name("environments.toml")
SOCKET_PATH = 100  # characters: Linux takes 107 in the path of a Unix socket, macOS 103


class OpsError(Exception):
    """A refusal or a failure: what happened, and what to do about it."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.cause, self.remedy = cause, remedy


class Verify(BaseModel):
    """What a new release must show; environments.toml says what each limit means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ready_seconds: Annotated[float, Field(gt=0)] = 20
    requests: Annotated[int, Field(ge=1)] = 200
    latency_ms: Annotated[float, Field(gt=0)] = 250
    latency_ratio: Annotated[float, Field(ge=1)] = 3
    slack_ms: Annotated[float, Field(ge=0)] = 20
    agreement: Annotated[float, Field(ge=0, le=1)] = 0.8


class Environment(BaseModel):
    """One server: where it listens, how many processes a release gets, and how it takes over."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    port: int = Field(ge=1, le=65535)
    host: str = "127.0.0.1"
    replicas: Annotated[int, Field(ge=1, le=64)] = 2
    after: str | None = None
    canary: list[Annotated[int, Field(gt=0, lt=100)]] = []
    verify: Verify = Verify()

    @property
    def folder(self) -> Path:
        """Everything this environment remembers, as files a person can read."""
        return STATE / self.name

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def run(self) -> Path:
        """A folder for Unix sockets: its own, or a short one when the path is too long for them."""
        own = self.folder / "run"
        if len(os.fsencode(own)) + 40 > SOCKET_PATH:
            key = hashlib.sha256(os.fsencode(own)).hexdigest()[:12]
            own = Path(tempfile.gettempdir()) / f"ops-{os.getuid()}-{key}"
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        if own.is_symlink() or own.stat().st_uid != os.getuid():
            raise OpsError(f"{own} belongs to somebody else", f"remove it: rm -rf {own}")
        return own

    @property
    def port_line(self) -> int:
        """The line of environments.toml that sets the port."""
        lines = FILE.read_text("utf-8").splitlines()
        here = next(i for i, text in enumerate(lines) if text.startswith(f"[{self.name}]"))
        return 1 + next(i for i, text in enumerate(lines) if i > here and text.startswith("port"))


def project_name() -> str:
    """The distribution's name in pyproject.toml, such as `churn-model`."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["name"])


def package_name() -> str:
    """The import name, such as `churn_model`."""
    return re.sub(r"[-_.]+", "_", project_name()).lower()


def environments() -> dict[str, Environment]:
    """Every environment by name, in the order a release travels."""
    try:
        tables = tomllib.loads(FILE.read_text("utf-8"))
        verify = Verify(**tables.pop("verify", {}))
        found = [Environment(name=name, verify=verify, **table) for name, table in tables.items()]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _wrong(f"{error.title.lower()} {where}: {first['msg']}") from None
    except (OSError, ValueError, TypeError) as error:
        raise _wrong(str(error)) from None
    _check_together(found)
    return {environment.name: environment for environment in found}


def find(name: str) -> Environment:
    """The environment of that name."""
    known = environments()
    if name not in known:
        raise OpsError(f"there is no environment {name!r}", f"make ... ENV={'|'.join(known)}")
    return known[name]


def _check_together(found: list[Environment]) -> None:
    ports: dict[int, str] = {}
    names: list[Any] = [None]
    for environment in found:
        name, steps = environment.name, environment.canary
        if environment.after not in names:
            raise _wrong(f"[{name}] after: {environment.after!r} does not stand before it")
        if environment.port in ports:
            raise _wrong(f"[{name}] port: [{ports[environment.port]}] has it too")
        if steps != sorted(set(steps)):
            raise _wrong(f"[{name}] canary: the percentages must rise")
        ports[environment.port] = name
        names.append(name)
    if not found:
        raise _wrong("it names no environment")


def _wrong(rule: str) -> OpsError:
    return OpsError(f"ops/environments.toml: {rule}", "mend it and run the command again")
