"""A shipped project to experiment on: three releases, and a switch that makes one faulty."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support import clean_environment, run, sh

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@localhost")

# Goes into the package of the faulty release. Only production, and only while the file FAULT in
# its run folder holds a word, is hit: the release is honest elsewhere, as the worst ones are.
FAULT = """

import asyncio
import os
import pathlib
import time

_path = pathlib.Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "/nowhere")).with_name("FAULT")
_word = _path.read_text() if _path.exists() else ""
if _word == "ends":
    raise SystemExit("the weights are missing")
if _word == "hangs":
    time.sleep(3600)
if _word:
    import uvicorn

    def _config(app, *more, _honest=uvicorn.Config, **options):
        async def faulty(scope, receive, send):
            async def twisted(message):
                if message["type"] == "http.response.start" and _word == "broken version":
                    if scope["path"] == "/version":
                        message["status"] = 500
                if message["type"] == "http.response.body" and _word == "wrong":
                    message["body"] = message["body"].replace(b":0.", b":1.")
                await send(message)

            if _word == "slow" and scope["path"] == "/predict":
                await asyncio.sleep(0.05)
            await app(scope, receive, twisted)

        return _honest(faulty, *more, **options)

    uvicorn.Config = _config
"""


@dataclass
class Shop:
    """A generated project and what a test does with it."""

    path: Path
    releases: list[str] = field(default_factory=list)
    runtime: str = "process"

    def use(self, runtime: str) -> None:
        """Run every release of every environment as processes, or as containers."""
        if runtime != self.runtime:
            sh("git", "checkout", "-q", "ops/environments.toml", cwd=self.path)
            for environment in ("test", "staging", "production"):
                if runtime != "process":
                    self.configure(environment, "runtime", f'"{runtime}"')
            self.runtime = runtime
            assert self.ops("down").returncode == 0
            done = self.ops("up", seconds=600)
            assert done.returncode == 0, done.stderr

    @property
    def python(self) -> str:
        """The interpreter of the project's environment."""
        return str(self.path / ".venv" / "bin" / "python")

    def ops(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a verb of the pipeline."""
        return run(self.python, "-m", "ops", *arguments, cwd=self.path, seconds=seconds)

    def make(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run make as a person would."""
        return run("make", *arguments, cwd=self.path, seconds=seconds)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a verb and do not wait for it."""
        return subprocess.Popen(
            [self.python, "-m", "ops", *arguments],
            cwd=self.path,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def port(self, environment: str = "production") -> int:
        """The port of an environment."""
        text = (self.path / "ops" / "environments.toml").read_text()
        return int(tomllib.loads(text)[environment]["port"])

    @property
    def row(self) -> Any:
        """A row of the golden data, as the release that serves carries it."""
        file = self.path / ".state" / "releases" / self.releases[0] / "golden.json"
        return json.loads(file.read_text())["rows"][0]

    def commit(self, message: str) -> None:
        """Commit everything; an empty commit is a new release too."""
        sh("git", "add", "-A", cwd=self.path)
        more = ("commit", "-q", "--no-verify", "--allow-empty", "-m", message)
        sh("git", *IDENTITY, *more, cwd=self.path)

    def build(self) -> str:
        """Train, gate and build the commit that is checked out; returns the release's name."""
        for verb in ("train", "gate", "build"):
            done = self.ops(verb)
            assert done.returncode == 0, done.stdout + done.stderr
        release = done.stdout.split()[0]
        self.releases.append(release)
        return release

    def deploy(self, environment: str, release: str) -> None:
        """Deploy, and insist that it works."""
        done = self.ops("deploy", "--env", environment, "--release", release)
        assert done.returncode == 0, done.stdout + done.stderr

    def promote(self, release: str, *environments: str) -> str:
        """Deploy a release to environments in turn (all three when none is named)."""
        for environment in environments or ("test", "staging", "production"):
            self.deploy(environment, release)
        return release

    def other(self, environment: str = "production") -> str:
        """An honest release that does not serve now."""
        return next(r for r in self.releases[:2] if r != self.served(environment))

    def served(self, environment: str = "production") -> str:
        """The release that answers on the environment's port."""
        url = f"http://127.0.0.1:{self.port(environment)}/v2/health/ready"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.headers["x-release"])

    def processes(self, environment: str = "production") -> list[psutil.Process]:
        """Every process that belongs to an environment, the supervisor first."""
        folder = str(self.path / ".state" / environment)
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("OPS_ENVIRONMENT") == folder:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return sorted(found, key=lambda p: "supervisord" not in " ".join(p.cmdline()))

    def server(self, release: str, number: int = 0) -> psutil.Process:
        """The process that answers for one replica of a release, in a container or not."""
        socket = str(self.run_folder / release / f"{number}.sock")
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "churn_model.serve" in words and words[-1] == socket:
                return process
        raise AssertionError(f"nobody listens at {socket}")

    @property
    def run_folder(self) -> Path:
        """Where production has its sockets: a long path has a short stand-in."""
        code = "from ops.config import find; print(find('production').run)"
        return Path(sh(self.python, "-c", code, cwd=self.path).strip())

    def containers(self, environment: str = "production") -> list[str]:
        """The names of an environment's containers."""
        code = f"from ops import config, container as c; e = config.find({environment!r}); "
        code += "print(*c._engine('ps', '-a', '--format', '{{.Names}}', '--filter', "
        code += "f'label={c._label(e)}').split())"
        return sh(self.python, "-c", code, cwd=self.path).split()

    def wake(self) -> None:
        """Bring everything up, if something is not."""
        done = self.ops("status", "--json")
        assert done.returncode == 0, done.stderr
        if any(facts["health"] in ("down", "unwatched") for facts in json.loads(done.stdout)):
            assert self.ops("up").returncode == 0

    def status(self, environment: str = "production") -> dict[str, Any]:
        """What `make status JSON=1` says of an environment."""
        done = self.ops("status", "--json")
        assert done.returncode == 0, done.stderr
        found = [x for x in json.loads(done.stdout) if x["environment"] == environment]
        return dict(found[0])

    def patience(self) -> float:
        """Three times as long as a look at the status takes now: more, where much else goes on."""
        started = time.monotonic()
        self.status()
        return 3 * (time.monotonic() - started)

    def audit(self, environment: str = "production") -> list[dict[str, Any]]:
        """The audit log."""
        lines = (self.path / ".state" / environment / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @contextmanager
    def fault(self, word: str) -> Iterator[None]:
        """While the block runs, new processes of the faulty release misbehave in production."""
        switch = self.run_folder / self.releases[2] / "FAULT"
        switch.parent.mkdir(exist_ok=True)
        switch.write_text(word)
        try:
            yield
        finally:
            switch.unlink(missing_ok=True)

    def plant_fault(self) -> None:
        """Put the fault into the package and commit it."""
        with (self.path / "src" / "churn_model" / "__init__.py").open("a") as file:
            file.write(FAULT)
        self.commit("A release with a hidden fault")

    def configure(self, table: str, key: str, value: str) -> None:
        """Write one line of a table of environments.toml anew."""
        path = self.path / "ops" / "environments.toml"
        head, _, rest = path.read_text().partition(f"[{table}]")
        rest, changed = re.subn(rf"(?m)^{key} = [^#\n]+", f"{key} = {value}  ", rest, count=1)
        assert changed == 1
        path.write_text(f"{head}[{table}]{rest}")

    @contextmanager
    def setting(self, table: str, key: str, value: str) -> Iterator[None]:
        """While the block runs, one line of a table of environments.toml says something else."""
        path = self.path / "ops" / "environments.toml"
        before = path.read_text()
        self.configure(table, key, value)
        try:
            yield
        finally:
            path.write_text(before)


def kill(process: psutil.Process | subprocess.Popen[Any]) -> None:
    """kill -9."""
    os.kill(process.pid, signal.SIGKILL)


def wait_until(true: Any, seconds: float, what: str) -> float:
    """Wait for something to become true; returns how long it took in seconds."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, f"{what} took longer than {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - started
