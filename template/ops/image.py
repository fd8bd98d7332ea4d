"""The container image of a release: built, tried as production would run it, and pushed.

It needs Docker or what speaks like it (DOCKER=podman). BASE_IMAGE names another base; CA_BUNDLE, a
file of certificates, and PIP_CONFIG_FILE are seen by the build alone and get into no image. With
TRAINING=yes the image that trains is pushed too, where there is one.
Touch this file to change what an image must show before it is pushed.
"""

import contextlib
import functools
import json
import os
import re
import shlex
import subprocess
import uuid
from typing import Any

from .config import ROOT, STATE, OpsError, package_name
from .release import Release, amend, differing, golden_rows, sha256
from .state import run

USER = 10001  # the one that the Dockerfile names
# A container finds nothing that it may write to, and gets no right beyond those of a plain user.
CONFINED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
LABEL = "org.opencontainers.image"
LOG = STATE / "image.log"
STOP_SECONDS = 30
# Runs beside the server, and so works wherever the engine is; the name of the host leads to the
# address that others reach the server by. Golden rows come in, what is answered goes out.
ASK = """\
import json, socket, sys, time, urllib.request
door = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def ask(path, body=None):
    return door.open(f"http://{socket.gethostname()}:8080{path}", body, 10).read()
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        ask("/v2/health/ready")
        break
    except OSError:
        time.sleep(0.02)
said = [ask("/predict", json.dumps(row).encode()) for row in json.load(sys.stdin)]
print(json.dumps([json.loads(answer) for answer in [ask("/version"), *said]]))
"""


@functools.cache
def engine() -> list[str]:
    """The words that call a container engine. Raises OpsError when none answers."""
    words = shlex.split(os.environ.get("DOCKER") or "docker")
    try:
        run(*words, "ps", "--quiet")
    except OpsError as error:
        said = error.cause.partition(": ")[2] or error.cause
        remedy = "install and start Docker, or name another engine: DOCKER=podman"
        if "permission denied" in said:
            remedy = 'sudo usermod --append --groups docker "$USER", then log in again'
        raise OpsError(f"no container engine answers: {said}", remedy) from None
    return words


def tag(release: Release, target: str = "") -> str:
    """The image's name on this machine; `target` is a stage of the Dockerfile, or the last."""
    return f"{package_name().replace('_', '-')}{target and '-'}{target}:{release.name}"


def build(release: Release, target: str = "", anew: bool = True) -> str:
    """Build the image of a release and return its tag; again when the recipe changed, if `anew`."""
    name, recipe, base = tag(release, target), ROOT / "Dockerfile", os.environ.get("BASE_IMAGE", "")
    labels = {f"{LABEL}.title": name.partition(":")[0], f"{LABEL}.version": release.name}
    labels |= {f"{LABEL}.revision": release.commit, "recipe": f"{sha256(recipe)} {base}"}
    labels |= {"wheel.sha256": release.digest, "model.sha256": release.model_sha256}
    same = labels if anew else {key: labels[key] for key in labels if key != "recipe"}
    if same.items() <= _inspect(name, "Config", "Labels").items():
        return name
    command = [*engine(), "build", f"--file={recipe}", f"--tag={name}"]
    command += [f"--label={key}={value}" for key, value in labels.items()]
    command += [f"--build-arg=RELEASE={release.name}"]
    command += [f"--build-arg=BASE_IMAGE={base}"] if base else []
    command += [f"--target={target}", f"--build-arg=LOCKED={target}.txt"] if target else []
    for secret, variable in (("ca", "CA_BUNDLE"), ("pip", "PIP_CONFIG_FILE")):
        if path := os.environ.get(variable):
            command.append(f"--secret=id={secret},src={path}")
    command.append(str(release.folder))  # the engine takes from it what the Dockerfile copies
    plain = {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    with LOG.open("wb") as log:
        done = subprocess.run(command, env=os.environ | plain, stdout=log, stderr=log, check=False)
    if done.returncode:
        text = LOG.read_text("utf-8", "replace")
        hint = "set CA_BUNDLE to a file with your company's certificates; see "
        hint = hint if "CERTIFICATE_VERIFY_FAILED" in text else "see "
        raise OpsError(f"the image was not built: {_why(text)}", f"{hint}{LOG}")
    return name


def prove(release: Release) -> str:
    """Run the image as production would, ask it the golden rows, and stop it."""
    name = tag(release)
    box = f"{name.replace(':', '-')}-{uuid.uuid4().hex[:8]}"
    speak = functools.partial(subprocess.run, capture_output=True, text=True, check=False)
    try:
        command = [*engine(), "run", "--detach", "--pull=never", f"--name={box}", *CONFINED, name]
        run(*command, remedy=f"make image RELEASE={release.name}")
        question = [*engine(), "exec", "--interactive", box, "python", "-c", ASK]
        done = speak(question, input=json.dumps(golden_rows(release)))
        if done.returncode:
            said = (done.stderr + speak([*engine(), "logs", box]).stderr).strip().splitlines()
            cause = f"the container did not answer: {(said or ['it said nothing'])[-1][:300]}"
            raise OpsError(cause, f"docker run --rm {name} shows all that it says")
        facts, *answers = json.loads(done.stdout)
        wrong = differing(release, answers)
        if wrong or facts["release"] != release.name:
            cause = f"the container says it is {facts['release']}; {wrong or 'it answers rightly'}"
            raise OpsError(cause, f"docker rmi {name}, then make image")
        run(*engine(), "stop", "-t", str(STOP_SECONDS), box)
        code = _inspect(box, "State")["ExitCode"]
        if code not in (0, 143):  # the latter where the engine puts a process before it
            cause = f"the container ended with {code}, not 0, when it was asked to stop"
            raise OpsError(cause, f"it has {STOP_SECONDS} s after SIGTERM to end by itself")
    finally:
        speak([*engine(), "rm", "--force", box])
    size = _inspect(name, "Size") / 1e6
    return f"{size:.0f} MB, {len(answers)} golden rows as offline, stops in time"


def push(release: Release, registry: str) -> str:
    """Push the image to `host/path`; returns it with the digest by which it can always be had.

    A release that carries training.txt has a second image, which trains: large, and seldom wanted.
    """
    if not registry:
        raise OpsError("REGISTRY is missing", "make push REGISTRY=registry.example.com/team")
    pushed = {"image": _push(tag(release), registry, f"make image RELEASE={release.name}")}
    asked = os.environ.get("TRAINING", "").lower() not in ("", "0", "no", "false")
    if asked and (release.folder / "training.txt").exists():
        pushed["training"] = _push(build(release, "training"), registry, "")
    amend(release, **pushed)
    return pushed["image"]


def _push(name: str, registry: str, remedy: str) -> str:
    remote = f"{registry.rstrip('/')}/{name}"
    run(*engine(), "tag", name, remote, remedy=remedy)
    run(*engine(), "push", remote, remedy=f"docker login {registry.partition('/')[0]}, then again")
    place, known = remote.rpartition(":")[0], "\n".join(map(str, _inspect(remote, "RepoDigests")))
    short = re.escape(place.removeprefix("docker.io/"))  # as engines write it, or do not
    if not (found := re.search(rf"(?m)^(?:docker\.io/)?{short}(@.*)$", known)):
        raise OpsError(f"the engine does not tell the digest of {remote}", "make push, once more")
    return place + found[1]


def _inspect(name: str, *keys: str) -> Any:
    """What the engine knows about an image or a container; empty when there is none."""
    found = dict[str, Any]()
    with contextlib.suppress(OpsError):
        [found] = json.loads(run(*engine(), "inspect", name))
    return functools.reduce(lambda facts, key: facts.get(key) or {}, keys, found)


def _why(log: str) -> str:
    """Why a build failed: the last line of the step that failed, or else docker's own."""
    lines = log.strip().splitlines() or ["docker printed nothing"]
    last = next((line for line in reversed(lines) if line.startswith("ERROR: ")), lines[-1])
    said = re.findall(r"(?m)^#\d+ [\d.]+ (.*\S)", log) if "exit code" in last else []
    return str([last, *said][-1]).removeprefix("ERROR: ")[:300]
