"""The docker client and the engine behind it. Starts `dockerd` when none answers."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.runners.once import alone

LOG = Path("/var/log/dockerd-tests.log")
START_SECONDS = 60
SECONDS = 900  # for one call; a build may have to download much


class Unavailable(Exception):
    """There can be no engine or image on this machine; the message says why, in one line."""


@functools.cache
def ensure() -> str:
    """The path of a docker client whose engine answers and builds with BuildKit.

    An engine that is started here is left running, for whatever else needs one.
    """
    found = client()
    with alone("engine"):
        if not _answers(found):
            _start(found)
    return found


def client() -> str:
    """The path of the first docker client that can build with BuildKit."""
    named = (os.environ.get("DOCKER"), "docker", "/usr/bin/docker")
    paths = [path for name in named if name and (path := shutil.which(name))]
    for path in paths:
        if _builds(path):
            return path
    if paths:
        raise Unavailable(f"{paths[0]} cannot build with BuildKit: apt install docker.io")
    raise Unavailable("docker is not installed: apt install docker.io")


def run(*argv: str | Path, text: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run the docker client with BuildKit on; its output without the last line break."""
    return output(ensure(), *argv, text=text, env={"DOCKER_BUILDKIT": "1", **(env or {})})


def has(image: str) -> bool:
    """Tell whether the engine holds an image."""
    return bool(run("image", "ls", "--quiet", image))


def output(*argv: str | Path, text: str = "", env: Mapping[str, str] | None = None) -> str:
    """What a program prints; a failure is `Unavailable` with its last words."""
    words = [str(word) for word in argv]
    given = os.environ | dict(env or {})
    try:
        done = subprocess.run(
            words,
            input=text,
            env=given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(words[:3])} did not end within {SECONDS} s") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Unavailable(f"{' '.join(words[:3])} failed: {' | '.join(lines[-3:])}")
    return done.stdout.strip()


def _builds(path: str) -> bool:
    """Clients have BuildKit inside until version 22, and as the plug-in buildx since then."""
    try:
        version = output(path, "--version").split()[2]
        if int(version.split(".")[0]) >= 23:
            output(path, "buildx", "version")
    except Unavailable:
        return False
    return True


def _answers(path: str) -> bool:
    command = [path, "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _start(path: str) -> None:
    program = shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if os.environ.get("DOCKER_HOST"):
        raise Unavailable(f"no engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}")
    if not program:
        raise Unavailable("no Docker engine answers, and dockerd is not installed")
    if os.getuid() != 0:
        raise Unavailable("no Docker engine answers, and only root can start one")
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            [program], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while not _answers(path):
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            last = (LOG.read_text(errors="replace").splitlines() or ["nothing"])[-1]
            raise Unavailable(f"dockerd does not start: {last[:300]}")
        time.sleep(0.2)
