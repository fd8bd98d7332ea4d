"""`make check`: the hooks over every file and, beside them, the tests.

What has passed is remembered for exactly these files and this Python, and `make ship` checks
nothing twice. Touch this file to add a check that is neither a hook nor a test.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

from .config import ROOT, STATE, OpsError
from .console import say
from .state import replace, run

PASSED, LOG = STATE / "checked", STATE / "check.log"
PYTHON = [sys.executable, "-m"]


def check() -> None:
    """Check everything, whatever passed before."""
    before = key()
    command = [*PYTHON, "pytest", "--ignore", "tests/acceptance"]
    command += ["--color=yes"] * (sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    tests = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        hooks = [*PYTHON, "pre_commit", "run", "--all-files"]
        failed = subprocess.run(hooks, cwd=ROOT, check=False).returncode
        said = tests.communicate()[0].decode(errors="replace").rstrip()
    finally:
        tests.terminate()
        tests.wait()
    say(said)
    if failed or tests.returncode:
        raise OpsError("check failed, see above", "mend it, then make check")
    if before and key() == before:
        replace(PASSED, before)


def passed() -> bool:
    """Whether a check has passed for the files as they are."""
    return PASSED.exists() and PASSED.read_text("utf-8") == key()


@contextlib.contextmanager
def beside() -> Iterator[Callable[[], str]]:
    """Check while the block does something else; the given function waits for the verdict."""
    STATE.mkdir(exist_ok=True)
    with LOG.open("wb") as log:
        command = [*PYTHON, "ops", "check"]
        child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)

    def verdict() -> str:
        if child.wait():
            say(LOG.read_text("utf-8", "replace"))
            raise OpsError("check failed, see above", "mend it, then make ship")
        return f"see .state/{LOG.name}"

    try:
        yield verdict
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()


def key() -> str:
    """What the verdict hangs on: this Python, and each file that git does not ignore."""
    try:
        names = run("git", "ls-files", "-coz", "--exclude-standard").split("\0")
    except OpsError:
        return ""  # no repository, so nothing to remember it by
    digest = hashlib.sha256(f"{sys.version} {sys.executable}".encode())
    for path in (ROOT / name for name in sorted(set(names)) if name):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()
