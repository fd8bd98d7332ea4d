"""What `environments.toml` and `pyproject.toml` say, checked and typed.

Touch this file when an environment needs a new setting. It reads files and starts nothing.
"""

import hashlib
import ipaddress
import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

ROOT = Path(__file__).resolve().parent.parent
# On a server it lies where no checkout touches it.
STATE = Path(os.environ.get("OPS_STATE") or ROOT / ".state").absolute()
FILE = Path(__file__).with_name("environments.toml")
SOCKET_PATH = 100  # characters: Linux takes 107 in the path of a Unix socket, macOS 103


def _address(text: str) -> str:
    """An address of a machine; a name may stand for several, and Envoy asks for one."""
    if ipaddress.ip_address(text).is_multicast or "%" in text:
        raise ValueError(f"{text!r} is no address that one machine can listen on")
    return text


Address = Annotated[str, AfterValidator(_address)]
Positive = Annotated[float, Field(gt=0)]
Percent = Annotated[int, Field(gt=0, lt=100)]


class OpsError(Exception):
    """A refusal or a failure: what happened, and what to do about it."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.cause, self.remedy = cause, remedy


class Verify(BaseModel):
    """What a new release must show; environments.toml says what each limit means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ready_seconds: Positive = 60
    requests: Annotated[int, Field(ge=1)] = 200
    latency_ms: Positive = 250
    latency_ratio: Positive = 3
    slack_ms: Positive = 20
    agreement: Annotated[float, Field(ge=0, le=1)] = 0.8


class Environment(BaseModel):
    """One environment: where it is, how many replicas a release gets, and how it takes over."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    # On one machine:
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    host: Address = "127.0.0.1"
    runtime: Literal["process", "container"] = "process"
    # In a cluster:
    namespace: str = ""
    context: str = ""  # of the kubeconfig; the current one when none is named
    # Everywhere:
    replicas: Annotated[int, Field(ge=1, le=64)] = 2
    after: str | None = None
    canary: list[Percent] = []
    approval: bool = False
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
        host = self.host
        if ipaddress.ip_address(host).is_unspecified:  # every address, the machine's own too
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def run(self) -> Path:
        """A folder for Unix sockets: its own, or a short one when the path is too long for them."""
        own = self.folder / "run"
        if len(os.fsencode(own)) + 40 > SOCKET_PATH:
            key = hashlib.sha256(os.fsencode(own)).hexdigest()[:12]
            home = Path("/run") if os.access("/run", os.W_OK) else Path.home()
            own = home / f".ops-{key}"
            if len(os.fsencode(own)) + 40 > SOCKET_PATH:  # there a cleaner may empty it one day
                own = Path(tempfile.gettempdir()) / f"ops-{os.getuid()}-{key}"
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        if own.is_symlink() or own.stat().st_uid != os.getuid():
            raise OpsError(f"{own} belongs to somebody else", f"remove it: rm -rf {own}")
        return own

    @property
    def port_line(self) -> int:
        """The line of environments.toml that sets the port."""
        before = re.split(rf"(?m)^\[{self.name}\](?:.|\n)*?^(?=port\b)", FILE.read_text("utf-8"))
        return FILE.read_text("utf-8").count("\n") - before[-1].count("\n") + 1


def package_name() -> str:
    """The import name, such as `churn_model`, from the name in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return re.sub(r"[-_.]+", "_", str(project["name"])).lower()


def environments() -> dict[str, Environment]:
    """Every environment by name, in the order a release travels."""
    found: dict[str, Environment] = {}
    try:
        tables = tomllib.loads(FILE.read_text("utf-8"))
        verify = Verify(**tables.pop("verify", {}))
        for name, table in tables.items():
            one = Environment(name=name, verify=verify, **table)
            if one.after is not None and one.after not in found:
                raise ValueError(f"[{name}] after: {one.after!r} does not stand before it")
            if not (one.port or one.namespace):
                raise ValueError(f"[{name}] port or namespace: is missing")
            if one.port and one.port in [other.port for other in found.values()]:
                raise ValueError(f"[{name}] port: another environment has {one.port} too")
            if one.canary != sorted(set(one.canary)):
                raise ValueError(f"[{name}] canary: the percentages must rise")
            found[name] = one
    except ValidationError as error:
        first = error.errors()[0]
        cause = f"{error.title.lower()} {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise OpsError(f"ops/environments.toml: {cause}", "mend that line") from None
    except (OSError, ValueError, TypeError) as error:
        raise OpsError(f"ops/environments.toml: {error}", "mend that line") from None
    return found


def find(name: str) -> Environment:
    """The environment of that name."""
    known = environments()
    if name not in known:
        cause = f"there is no environment {name!r}" if name else "ENV is missing"
        raise OpsError(cause, f"make ... ENV={'|'.join(known)}")
    return known[name]
