"""Releases as containers, for environments with `runtime = "container"`.

supervisord watches the client that runs a container; here is how that is called, and how what
outlives a killed client is found and removed. Touch this file to confine a container otherwise.
"""

import contextlib
import hashlib
import json
import os
import shlex

from . import image
from .config import Environment, OpsError
from .release import Release
from .state import run

SOME = "containers"  # a file in the run folder that says: some were started


def command(environment: Environment, release: Release) -> list[str]:
    """Run one replica, with `--uds FOLDER/0.sock` to follow: no network, and that folder to write.

    The client passes SIGTERM on. What a killed one left behind goes first.
    """
    folder, user = environment.run / release.name, os.getuid()
    if user == 0:  # root's containers run as the user that the image names
        user = image.USER
        for path in (folder, folder / "metrics"):
            os.chown(path, user, user)
    (environment.run / SOME).touch()
    label = _label(environment, release.name)
    words = [*image.engine(), "run", "--rm", "--label", _label(environment), "--label", label]
    words += [*image.CONFINED, "--network", "none", "--no-healthcheck"]  # Envoy looks after it
    words += ["--user", f"{user}:{user}", "--volume", f"{folder}:{folder}"]
    words += ["--env", f"PROMETHEUS_MULTIPROC_DIR={folder}/metrics"]
    remove_old = f'{shlex.join(image.engine())} rm --force {label}-"$replica" >/dev/null 2>&1'
    words_of_replica = f'{shlex.join(words)} --name {label}-"$replica" --env REPLICA="$replica"'
    script = f'replica=$(basename "$2" .sock); {remove_old}; exec {words_of_replica}'
    return ["/bin/sh", "-c", f'{script} {image.tag(release)} "$@"', "sh"]


def pids(environment: Environment) -> list[int]:
    """The process of each container, as this machine numbers it."""
    found = _containers(environment)
    facts = json.loads(_engine("inspect", *found) or "[]") if found else []
    return [int(one["State"]["Pid"]) for one in facts]


def remove(environment: Environment, release: str = "") -> None:
    """Remove the containers of an environment, or of one release there."""
    if found := _containers(environment, release):
        _engine("rm", "--force", *found)


def _label(environment: Environment, release: str = "") -> str:
    folder = hashlib.sha256(os.fsencode(environment.folder)).hexdigest()[:12]
    return f"ops-{folder}-{release}".rstrip("-")


def _containers(environment: Environment, release: str = "") -> list[str]:
    if not (environment.run / SOME).exists():
        return []
    label = _label(environment, release)
    return _engine("ps", "--all", "--quiet", "--filter", f"label={label}").split()


def _engine(*words: str) -> str:
    with contextlib.suppress(OpsError):  # without an engine there are no containers
        return run(*image.engine(), *words)
    return ""
