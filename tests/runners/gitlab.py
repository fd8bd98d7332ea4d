"""gitlab-ci-local: runs a project's GitLab pipeline here, each job in a container of its own.

It comes from npm with a node that it likes, once per test run. What GitLab's own runners have and
many machines lack are privileged containers, which the service docker-in-docker needs. So the
host `docker` of a job is this machine: `door` lets the job in to the engine here as that service
would, with TLS and certificates of its own.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import select
import shutil
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.runners import engine, runner
from tests.runners.once import alone
from tests.support import CACHE, Done, clean_environment, run, sh

PACKAGES = ("gitlab-ci-local@4.75.1", "node@24.21.0")
DOOR = 2376  # where docker-in-docker listens with TLS
COLOUR = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;;.*?\x1b\\")
VERDICT = re.compile(r"(?m)^ (PASS|WARN|FAIL) +(\S.*?) *(?: pre_script)?$")


@dataclass(frozen=True)
class Outcome:
    """The verdict on each job that ran (`PASS`, `WARN` or `FAIL`), and all that was printed."""

    jobs: dict[str, str]
    text: str


@dataclass(frozen=True)
class Repository:
    """A clean copy of a project, and the artifacts that GitLab would keep of its jobs."""

    path: Path
    image: str  # what its jobs run in

    def pipeline(self, *jobs: str, by: str, event: str = "push", **variables: str) -> Outcome:
        """Run the pipeline that an event starts on the main branch, or some jobs of it.

        A job that waits for a person runs when it is named, as if `by` had pressed its button.
        """
        given = variables | {"IMAGE": self.image, "ENGINE": "", "UV_LINK_MODE": "symlink"}
        words = [f"--variable={name}={value}" for name, value in given.items()]
        words += [f"--container-executable={engine.ensure()}", "--pull-policy=if-not-present"]
        words += [f"--helper-image={self.image}", "--extra-host=docker:host-gateway"]
        folders = {runner.CACHE: runner.cache(), "/certs/client": door()}
        folders[runner.WARM] = Path(CACHE) / "gitlab-warm"
        folders[runner.WARM].mkdir(exist_ok=True)
        words += [f"--volume={path}:{inside}" for inside, path in folders.items()]
        return self._outcome(by, event, *words, *jobs)

    def deploying(self, *jobs: str, by: str, server: Path, **variables: str) -> Outcome:
        """Run jobs on a server that the variable DEPLOY_RUNNER names: in no container."""
        given = variables | {"DEPLOY_RUNNER": "server", "OPS_STATE": f"{server / 'state'}"}
        given["UV_PROJECT_ENVIRONMENT"] = f"{server / 'venv'}"
        words = [f"--variable={name}={value}" for name, value in given.items()]
        return self._outcome(
            by, "push", "--force-shell-executor", "--shell-isolation", *words, *jobs
        )

    def jobs(self, event: str) -> dict[str, str]:
        """The jobs of the pipeline that an event would start, and when: `on_success`, `manual`."""
        listed = json.loads(self._local(event, "--list-json").stdout)
        return {job["name"]: job["when"] for job in listed if job["when"] != "never"}

    def _outcome(self, by: str, event: str, *words: str) -> Outcome:
        sh("git", "config", "user.email", f"{by}@localhost", cwd=self.path)  # GITLAB_USER_LOGIN
        quick = ("--no-artifacts-to-source", "--no-json-schema-validation")  # `jobs` validates
        done = self._local(event, *quick, *words)
        text = COLOUR.sub("", done.stdout + done.stderr)
        return Outcome({name: verdict for verdict, name in VERDICT.findall(text)}, text)

    def uploaded(self, job: str) -> Path:
        """The folder of the files that a job has uploaded."""
        return self.path / ".gitlab-ci-local" / "artifacts" / job

    def _local(self, event: str, *words: str) -> Done:
        home = Path(CACHE) / "gitlab-home"  # nobody's own settings
        words = (f"--home={home}", "--ignore-predefined-vars=CI_PIPELINE_SOURCE", *words)
        words = (f"--variable=CI_PIPELINE_SOURCE={event}", *words)
        if event == "merge_request_event":
            words = ("--unset-variable=CI_COMMIT_BRANCH", *words)
        env = {"PATH": os.pathsep.join((str(tools()), clean_environment()["PATH"]))}
        return run(tools() / "gitlab-ci-local", *words, cwd=self.path, env=env, seconds=900)


def clone(project: Path, path: Path, image: str) -> Repository:
    """A clean copy of a project's last commit."""
    sh("git", "clone", "-q", project, path)
    return Repository(path, image)


@functools.cache
def tools() -> Path:
    """The folder of gitlab-ci-local's program and node's. Some ten seconds the first time."""
    for program in ("npm", "rsync", "openssl"):
        if not shutil.which(program):
            raise engine.Unavailable(f"{program} is not installed: apt install {program}")
    folder = Path(CACHE) / "gitlab"
    with alone("gitlab"):
        if not (folder / "ready").exists():
            options = ("--no-audit", "--no-fund", "--silent")
            engine.output("npm", "install", *options, "--prefix", folder, *PACKAGES)
            (folder / "ready").touch()
    return folder / "node_modules" / ".bin"


@functools.cache
def door() -> Path:
    """Open the door to the engine for containers; returns the folder with the keys to it.

    It listens on the address that containers know this machine by, until this process ends.
    """
    keys = Path(CACHE) / f"gitlab-keys-{os.getpid()}"
    keys.mkdir()
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1")
    name = ("-subj", "/CN=docker", "-addext", "subjectAltName=DNS:docker")
    files = ("-keyout", keys / "key.pem", "-out", keys / "cert.pem")
    engine.output("openssl", "req", "-x509", *curve, *name, *files)
    shutil.copy(keys / "cert.pem", keys / "ca.pem")
    locked = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=keys / "ca.pem")
    locked.verify_mode = ssl.CERT_REQUIRED
    locked.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    try:
        place = socket.create_server((_bridge(), DOOR))
    except OSError as error:
        raise engine.Unavailable(f"port {DOOR} is not free: {error}") from None
    endpoint = engine.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    house = endpoint.removeprefix("unix://")
    threading.Thread(target=_let_in, args=[place, locked, house], daemon=True).start()
    return keys


def _bridge() -> str:
    """This machine's address in the network of containers."""
    options = json.loads(engine.run("network", "inspect", "bridge"))[0]["Options"]
    name = options["com.docker.network.bridge.name"]
    for address in psutil.net_if_addrs().get(name, []):
        if address.family == socket.AF_INET:
            return address.address
    raise engine.Unavailable("the engine's containers are not on this machine")


def _let_in(place: socket.socket, locked: ssl.SSLContext, house: str) -> None:
    while True:
        guest, _ = place.accept()
        threading.Thread(target=_accompany, args=[guest, locked, house], daemon=True).start()


def _accompany(guest: socket.socket, locked: ssl.SSLContext, house: str) -> None:
    """Hand on every byte in both directions, and then to each side that there are no more.

    One side may have ended long before the other: `docker exec` sends a question in that way.
    """
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as host:
        host.connect(house)
        with locked.wrap_socket(guest, server_side=True) as safe:
            listening: dict[socket.socket, socket.socket] = {safe: host, host: safe}
            while host in listening:
                read = [safe] if safe.pending() else select.select([*listening], [], [])[0]
                for source in read:
                    if data := source.recv(65536):
                        listening[source].sendall(data)
                    else:
                        listening.pop(source).shutdown(socket.SHUT_WR)
