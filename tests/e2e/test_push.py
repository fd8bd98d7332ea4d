"""The image in a real registry, and an engine that is not on this machine's socket."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.containers import docker, inspect
from tests.e2e.shop import Shop, wait_until
from tests.support import cli, run


@pytest.fixture(scope="module")
def image(stocked: Shop, containers: str) -> str:
    """The image of the second release."""
    done = stocked.make("image", f"RELEASE={stocked.releases[1]}", seconds=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[0]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry of our own on this machine."""
    program = shutil.which("docker-registry")
    if program is None:
        assert not os.environ.get("CI"), "docker-registry is not installed"
        pytest.skip("docker-registry is not installed: apt install docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {"version": 0.1, "http": {"addr": where}, "log": {"level": "error"}}
    config["storage"] = {"filesystem": {"rootdirectory": str(folder / "data")}}
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", folder / "config.yml"], stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _listens(where), 10, "the registry")
        yield where
    finally:
        process.terminate()
        process.wait(10)


def test_push_names_the_image_by_the_digest_that_the_registry_gives_back(
    stocked: Shop, image: str, registry: str
) -> None:
    release = image.partition(":")[2]
    file = stocked.path / ".state" / "releases" / release / "release.json"
    before = json.loads(file.read_text())
    done = stocked.make("push", f"RELEASE={release}", f"REGISTRY={registry}/team")
    assert done.returncode == 0, done.stderr
    pushed = done.stdout.strip()
    name, _, digest = pushed.partition("@")
    assert name == f"{registry}/team/churn-model"
    assert json.loads(file.read_text()) == before | {"image": pushed}
    manifest = _manifest(registry, digest)
    assert digest == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    assert json.loads(manifest)["config"]["digest"] == inspect(image)["Id"]
    docker("rmi", f"{name}:{release}")
    docker("pull", "--quiet", pushed)
    assert inspect(pushed)["Id"] == inspect(image)["Id"]
    docker("rmi", pushed)


def test_the_image_that_trains_is_pushed_only_when_asked_for(
    stocked: Shop, image: str, registry: str, tmp_path: Path
) -> None:
    release = image.partition(":")[2]
    made = tmp_path / "churn-model"  # the same project, with the pipeline of one for a cluster
    for_a_cluster = ("-d", "target=kubernetes", "--no-setup", "--no-git")
    done = cli("new", made, "--defaults", "--ref", "HEAD", *for_a_cluster)
    assert done.returncode == 0, done.stderr
    shutil.copytree(
        stocked.path / ".state" / "releases" / release, made / ".state/releases" / release
    )
    goal = ("--release", release, "--registry", f"{registry}/apart")
    words = (stocked.python, "-m", "ops", "push", *goal)
    for answer in ("", "no", "0"):
        done = run(*words, cwd=made, env={"TRAINING": answer})
        assert done.returncode == 0, done.stderr
    asked = run(*words, cwd=made, env={"TRAINING": "yes"})
    # This release brings nothing to train with, so one can see that it was looked for.
    assert asked.returncode == 1
    assert '"/data" not found' in asked.stderr, asked.stderr


def test_pushing_again_gives_the_same_digest(stocked: Shop, image: str, registry: str) -> None:
    words = ("push", "--release", image.partition(":")[2], "--registry", f"{registry}/again/")
    first, second = (stocked.ops(*words) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert first.stdout.startswith(f"{registry}/again/churn-model@sha256:")


def test_make_image_works_where_the_engine_is_on_another_host(stocked: Shop, image: str) -> None:
    command = (stocked.python, "-m", "ops", "image", "--release", image.partition(":")[2])
    with _forwarded() as port:
        done = run(*command, cwd=stocked.path, env={"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})
    assert done.returncode == 0, done.stderr
    assert "golden rows as offline" in done.stdout


def _manifest(registry: str, digest: str) -> bytes:
    """What the registry has under a digest, as it is."""
    kind = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    url = f"http://{registry}/v2/team/churn-model/manifests/{digest}"
    with urllib.request.urlopen(urllib.request.Request(url, headers=kind)) as answer:
        return bytes(answer.read())


@contextmanager
def _forwarded() -> Iterator[int]:
    """A TCP port that leads to the engine's socket."""
    code = """
import asyncio, sys
async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
async def talk(reader, writer):
    to = await asyncio.open_unix_connection("/var/run/docker.sock")
    await asyncio.gather(copy(reader, to[1]), copy(to[0], writer))
    writer.close()
async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait(10)


def _listens(where: str) -> bool:
    host, _, port = where.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
