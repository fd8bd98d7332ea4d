"""What goes wrong with images: each time one line of cause, one of remedy, and no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.containers import docker
from tests.e2e.shop import Shop, wait_until
from tests.support import run

INSTALL = "install and start Docker, or name another engine: DOCKER=podman"
# Of releases by number: the image of the first under the name of the second, and two broken ones.
OTHER_MODEL = "FROM churn-model:{0}"
ENDS = 'FROM churn-model:{1}\nENTRYPOINT ["python", "-c", "raise SystemExit(\'out of luck\')"]'
DEAF = """FROM churn-model:{1}
ENTRYPOINT ["sh", "-c", "trap : TERM; python -m churn_model.serve --host 0.0.0.0 --port 8080 & \\
  while true; do sleep 1; done"]
"""


@pytest.fixture(scope="module")
def images(stocked: Shop, containers: str) -> list[str]:
    """The images of the two honest releases."""
    for release in stocked.releases[:2]:
        code = f"from ops import image, release; image.build(release.load({release!r}))"
        done = run(stocked.python, "-c", code, cwd=stocked.path, seconds=600)
        assert done.returncode == 0, done.stderr
    return [f"churn-model:{release}" for release in stocked.releases[:2]]


@pytest.fixture
def small(containers: str) -> Iterator[str]:
    """The address of a second engine, whose disk is full but for an empty image `empty:1`."""
    if os.getuid() != 0 or not (program := shutil.which("dockerd", path=os.defpath + ":/usr/sbin")):
        pytest.skip("only root can start a second engine with a disk of its own")
    short = Path(
        tempfile.mkdtemp()
    )  # the sockets in it may have no longer paths than 107 characters
    disk, where = short / "disk", f"unix://{short}/engine.sock"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=True)
    # In a network of its own, or it would take away the interface of the engine that all use.
    apart = ["--bridge=none", "--iptables=false", "--ip6tables=false", f"--host={where}"]
    apart += [f"--data-root={disk}", f"--exec-root={short}/run", f"--pidfile={short}/pid"]
    with (short / "log").open("wb") as log:
        words = ["unshare", "--net", program, *apart]
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        with (short / "empty.tar").open("wb") as empty:
            empty.write(bytes(10240))
        add = ("import", short / "empty.tar", "empty:1")
        client = (os.environ["DOCKER"], "--host", where)
        wait_until(lambda: run(*client, *add).returncode == 0, 30, "the second engine")
        filled = run("dd", "if=/dev/zero", f"of={disk}/filler", "bs=1M")
        assert "No space left" in filled.stderr
        yield where
    finally:
        process.terminate()
        process.wait(30)
        subprocess.run(["umount", disk], check=True)
        shutil.rmtree(short)


def refusal(stocked: Shop, *verb: str, **variables: str) -> tuple[str, str]:
    """The cause and the remedy that a verb prints, which must fail and print no more than that."""
    command = (stocked.python, "-m", "ops", *(verb or ("image", "--release", stocked.releases[1])))
    done = run(*command, cwd=stocked.path, env=variables)
    assert done.returncode == 1, done.stdout + done.stderr
    cause, remedy = done.stderr.splitlines()
    assert cause.startswith("error: ") and remedy.startswith("  try: "), done.stderr
    return cause.removeprefix("error: "), remedy.removeprefix("  try: ")


def own_words(*command: str, **variables: str) -> str:
    """The last line that a client says itself."""
    done = run(*command, "ps", "--quiet", env=variables)
    assert done.returncode != 0
    return done.stderr.strip().splitlines()[-1]


def log_of(stocked: Shop) -> Path:
    return stocked.path / ".state" / "image.log"


def test_without_a_container_engine_the_cause_is_that_it_is_not_installed(stocked: Shop) -> None:
    cause, remedy = refusal(stocked, DOCKER="no-such-docker")
    assert cause == "no container engine answers: no-such-docker is not installed"
    assert remedy == INSTALL


def test_an_engine_that_is_stopped_is_named_by_its_socket(stocked: Shop, containers: str) -> None:
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    cause, remedy = refusal(stocked, **nowhere)
    said = own_words(os.environ["DOCKER"], **nowhere)
    assert "/nowhere/docker.sock" in said
    assert (cause, remedy) == (f"no container engine answers: {said}", INSTALL)


def test_a_user_who_may_not_use_the_engine_learns_how_to_get_the_right(
    stocked: Shop, containers: str
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become a user without the right to use the engine")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", os.environ["DOCKER"])
    cause, remedy = refusal(stocked, DOCKER=" ".join(nobody))
    said = own_words(*nobody)
    assert "permission denied" in said
    assert cause == f"no container engine answers: {said}"
    assert remedy == 'sudo usermod --append --groups docker "$USER", then log in again'


def test_a_base_image_that_cannot_be_had_is_named(stocked: Shop, containers: str) -> None:
    cause, remedy = refusal(stocked, BASE_IMAGE="127.0.0.1:1/nobody/python:9")
    assert cause.startswith("the image was not built: failed to ")
    assert "127.0.0.1:1/v2/nobody/python/manifests/9" in cause
    assert remedy == f"see {log_of(stocked)}"


def test_a_full_disk_is_said_to_be_full(stocked: Shop, small: str) -> None:
    cause, remedy = refusal(stocked, DOCKER_HOST=small, BASE_IMAGE="empty:1")
    assert cause.startswith("the image was not built: ")
    assert cause.endswith("no space left on device")
    assert remedy == f"see {log_of(stocked)}"


def test_certificates_that_do_not_fit_are_what_the_remedy_is_about(
    stocked: Shop, containers: str, tmp_path: Path
) -> None:
    bundle = Path(os.environ["CA_BUNDLE"]).read_text()
    begin, end = bundle.index("-----BEGIN"), bundle.index("-----END CERTIFICATE-----") + 25
    (tmp_path / "other.pem").write_text(bundle[begin:end] + "\n")
    # What pip and the engine remember would hide that nothing can be fetched.
    (tmp_path / "pip.conf").write_text("[global]\nno-cache-dir = true\nretries = 1\n")
    base = f"churn-model-{uuid.uuid4().hex}"
    (tmp_path / "Dockerfile").write_text(f"FROM {containers}\nCOPY Dockerfile /{base}\n")
    docker("build", "--quiet", "--tag", base, tmp_path)
    given = {"BASE_IMAGE": base, "CA_BUNDLE": str(tmp_path / "other.pem")}
    try:
        cause, remedy = refusal(stocked, **given, PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    finally:
        docker("rmi", "--force", base)
    assert cause.startswith("the image was not built: No matching distribution found for")
    hint = "set CA_BUNDLE to a file with your company's certificates; "
    assert remedy == f"{hint}see {log_of(stocked)}"


def test_a_certificate_file_that_is_not_there_is_named(stocked: Shop, containers: str) -> None:
    cause, remedy = refusal(stocked, CA_BUNDLE="/nowhere/ca.pem", BASE_IMAGE="127.0.0.1:1/x:1")
    assert cause.startswith("the image was not built: ") and "stat /nowhere/ca.pem" in cause
    assert remedy == f"see {log_of(stocked)}"


@pytest.mark.parametrize(
    ("recipe", "cause"),
    [
        (OTHER_MODEL, "the container says it is {0}; it answers rightly"),
        (ENDS, "the container did not answer: out of luck"),
        (DEAF, "the container ended with 137, not 0, when it was asked to stop"),
    ],
    ids=["another release", "one that ends", "one that does not stop"],
)
def test_an_image_that_does_not_do_its_work_is_not_proven(
    stocked: Shop, images: list[str], tmp_path: Path, recipe: str, cause: str
) -> None:
    good = docker("inspect", "--format", "{{.Id}}", images[1]).strip()
    (tmp_path / "Dockerfile").write_text(recipe.format(*stocked.releases))
    code = f"""
from ops import config, image, release
image.STOP_SECONDS = 2
try:
    image.prove(release.load({stocked.releases[1]!r}))
except config.OpsError as error:
    print(error.cause, error.remedy, sep="\\n")
"""
    try:
        docker("build", "--quiet", "--tag", images[1], tmp_path)
        done = run(stocked.python, "-c", code, cwd=stocked.path)
    finally:
        docker("tag", good, images[1])
    assert done.stderr == ""
    said, remedy = done.stdout.splitlines()
    assert said == cause.format(*stocked.releases)
    assert remedy
    assert docker("ps", "--all", "--quiet", "--filter", f"name={stocked.releases[1]}") == ""


def test_a_push_without_an_address_or_an_image_or_a_registry_says_what_is_missing(
    stocked: Shop, images: list[str]
) -> None:
    without, honest = stocked.releases
    cause, remedy = refusal(stocked, "push", "--release", honest)
    assert cause == "REGISTRY is missing"
    assert remedy == "make push REGISTRY=registry.example.com/team"
    cause, remedy = refusal(stocked, "push", "--release", honest, "--registry", "127.0.0.1:1/team")
    assert "127.0.0.1:1" in cause and "connection refused" in cause
    assert remedy == "docker login 127.0.0.1:1, then again"
    docker("rmi", f"127.0.0.1:1/team/churn-model:{honest}")
    run(os.environ["DOCKER"], "rmi", "--force", f"churn-model:{without}")
    cause, remedy = refusal(stocked, "push", "--release", without, "--registry", "127.0.0.1:1/team")
    assert f"No such image: churn-model:{without}" in cause
    assert remedy == f"make image RELEASE={without}"
