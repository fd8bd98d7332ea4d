"""The image that a CI job runs in, as a vendor's runner would offer it, on the base image."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.runners import base, engine
from tests.runners.once import alone

NAME = "mlops-scaffold-test/runner"
CACHE = "/cache"  # where a job finds what `cache()` names
WARM = "/warm"  # where tools keep what they know: mount a folder, and the next job knows it too
BUILDX = '{{range .ClientInfo.Plugins}}{{if eq .Name "buildx"}}{{.Path}}{{end}}{{end}}'
DOCKERFILE = f"""
ARG BASE
FROM $BASE
RUN apt-get update -qq \\
 && apt-get install -y -qq --no-install-recommends git make curl rsync \\
 && rm -rf /var/lib/apt/lists/*
COPY docker uv /usr/local/bin/
COPY plugins /usr/local/lib/docker/cli-plugins
ENV DOCKER_BUILDKIT=1 CA_BUNDLE={base.IN_IMAGE} SSL_CERT_FILE={base.IN_IMAGE} \\
    PIP_CERT={base.IN_IMAGE} CURL_CA_BUNDLE={base.IN_IMAGE} GIT_SSL_CAINFO={base.IN_IMAGE} \\
    UV_CACHE_DIR={CACHE} UV_LINK_MODE=symlink UV_PYTHON_DOWNLOADS=never \\
    MYPY_CACHE_DIR={WARM}/mypy RUFF_CACHE_DIR={WARM}/ruff PYTHONPYCACHEPREFIX={WARM}/python
ARG BASE
ENV BASE_IMAGE=$BASE
RUN git config --system --add safe.directory '*'
"""


@functools.cache
def image() -> str:
    """The image's name, its tag named after what is inside. About half a minute the first time.

    Jobs in it find git, make, curl, bash, uv and a docker client for the engine's socket (mount
    it), and the variables that this machine needs: BASE_IMAGE, CA_BUNDLE and those of the tools.
    """
    below, tools = base.image(), [engine.ensure(), _uv()]
    recipe = f"{below}{DOCKERFILE}" + "".join(engine.output(tool, "--version") for tool in tools)
    name = f"{NAME}:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with alone("runner"):
        if not engine.has(name):
            _make(name, below)
    return name


@functools.cache
def cache() -> Path:
    """The folder to mount at CACHE: what uv downloads, shared by all jobs of a test run.

    Jobs write there as root. So root's jobs share root's own cache of uv, and need no network for
    what this machine has installed before; for any other user it is a folder of its own.
    """
    path = Path(engine.output(_uv(), "cache", "dir"))
    if os.getuid() != 0:
        path = Path(tempfile.gettempdir()) / f"scaffold-runners-{os.getuid()}-cache"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _make(name: str, below: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch)
        (context / "plugins").mkdir()
        shutil.copy(engine.ensure(), context / "docker")
        shutil.copy(_uv(), context / "uv")
        if plugin := engine.run("info", "--format", BUILDX):
            shutil.copy(plugin, context / "plugins")
        argument = f"--build-arg=BASE={below}"
        engine.run("build", "--tag", name, argument, "--file", "-", context, text=DOCKERFILE)


def _uv() -> str:
    """The uv that the tests use themselves."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise engine.Unavailable("uv is not installed: pip install uv")
    return found
