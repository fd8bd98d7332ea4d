"""Runs `mlops-scaffold` in a process that has its imports behind it, and sets traps for it.

A trap is a kill, a Ctrl-C or a full disk at one exact moment, which a test could not hit from
outside. Nothing in the command knows of it: Python itself announces what it is about to do.
"""

import errno
import fcntl
import itertools
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.support import Done, clean_environment

# What is needed to run a command is imported once, by a process that then only forks.
_WARM = multiprocessing.get_context("forkserver")
_WARM.set_forkserver_preload(
    ["copier", "copier._main", "questionary", "scaffold.cli", "tests.warm"]
    + [f"scaffold.commands.{verb}" for verb in ("adopt", "diff", "new", "status", "undo", "update")]
)

SECONDS = 300.0  # for one command, on a machine that is busy with others
KILL, INTERRUPT, FILL = "kill", "interrupt", "fill"
REACHED = "(the trap)"


@dataclass(frozen=True)
class Trap:
    """Something that happens to a command before its n-th step in a folder.

    `what` is KILL, INTERRUPT (Ctrl-C), or FILL: the disk is full, so only steps count that need
    room. `step` may also be the end of a path: the first step that concerns it.
    """

    what: str
    folder: str
    step: int | str


def warm(argv: Sequence[str], env: Mapping[str, str], trap: Trap | None = None) -> tuple[int, str]:
    """Run `mlops-scaffold` in a process that has its imports behind it; its exit code and output.

    Output and errors come as one text.
    """
    with tempfile.NamedTemporaryFile() as said:
        process = _launch(argv, env, (said.name, said.name), trap)
        return _end(process, SECONDS), said.read().decode("utf-8", "replace")


def cli(
    *argv: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Done:
    """Run `mlops-scaffold` like the function of that name in `support`, but sooner."""
    words = [str(word) for word in argv]
    with tempfile.NamedTemporaryFile("r") as output, tempfile.NamedTemporaryFile("r") as errors:
        process = _launch(words, env or {}, (output.name, errors.name), cwd=cwd)
        return Done(words, _end(process, seconds), output.read(), errors.read())


class Paused:
    """A command that is about to write its journal, and of which any number of copies go on."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], trap: Trap) -> None:
        self._output = tempfile.NamedTemporaryFile()  # noqa: SIM115 - until the end
        self._control, theirs = _WARM.Pipe()
        self._process = _launch(argv, env, (self._output.name,) * 2, trap, control=theirs)
        theirs.close()
        self.steps: int = self._control.recv()  # how many it has behind it

    def go(self, step: int) -> tuple[int, str]:
        """Let a copy go on, into the trap at this step; its exit code and what it prints now."""
        self._output.truncate(0)
        self._control.send((step, None, False))
        code = self._control.recv()
        return code, Path(self._output.name).read_text("utf-8", "replace")

    def stop(self, seconds: float, *, group: bool) -> None:
        """Let a copy go on, and kill it after that time, or all that it has started as well."""
        self._control.send((-1, seconds, group))
        self._control.recv()

    def end(self) -> None:
        """Stop waiting."""
        self._control.send((None, None, False))
        _end(self._process, SECONDS)
        self._output.close()


def _launch(
    argv: Sequence[str],
    env: Mapping[str, str],
    outputs: tuple[str, str],
    trap: Trap | None = None,
    *,
    cwd: Path | None = None,
    control: Connection | None = None,
) -> BaseProcess:
    args = (list(argv), clean_environment() | dict(env), outputs, trap, cwd, control)
    process = _WARM.Process(target=_main, args=args)
    process.start()
    return process


def _end(process: BaseProcess, seconds: float) -> int:
    """Wait for the end of a process, and return its exit code."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"the command took longer than {seconds} s")
    return process.exitcode or 0


def _main(
    argv: list[str],
    env: dict[str, str],
    outputs: tuple[str, str],
    trap: Trap | None,
    cwd: Path | None,
    control: Connection | None,
) -> None:
    from scaffold.__main__ import main

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in enumerate(outputs, start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), number)
    tempfile.tempdir = None
    os.environ.clear()
    os.environ.update(env)
    if cwd:
        os.chdir(cwd)
    sys.argv = ["mlops-scaffold", *argv]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if trap:
        armed = _Armed(trap, control)
        sys.addaudithook(armed.hear)
        os.write = armed.tell  # type: ignore[assignment]
    main()


_NEEDS_ROOM = {"os.link", "os.mkdir", "os.symlink"}
_CHANGES = _NEEDS_ROOM | {"os.chmod", "os.remove", "os.rename", "os.rmdir"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class _Armed:
    """A trap that is set in this process."""

    def __init__(self, trap: Trap, control: Connection | None) -> None:
        self.trap, self.step, self.control = trap, trap.step, control
        self.fills, self.write, self.counter = trap.what == FILL, os.write, itertools.count()

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Be told by Python what it is about to do."""
        if event == "open":
            counts = bool(args[2] & _WRITES) and _is_in(args[0], self.trap.folder)
        elif event == "subprocess.Popen":
            counts = not self.fills and ("update-index" in args[1] or "hash-object" in args[1])
        else:
            changes = _NEEDS_ROOM if self.fills else _CHANGES
            counts = event in changes and _is_in(args[0], self.trap.folder, args[-1])
        if counts:
            self.count(*args[:2])

    def tell(self, handle: int, data: bytes) -> int:
        """Stand for `os.write`, of which Python does not tell."""
        if not self.fills:
            self.count()
        return self.write(handle, data)

    def count(self, *paths: object) -> None:
        number, names = next(self.counter), [str(path) for path in paths]
        if self.control and any("/making/" in name for name in names):
            control, self.control = self.control, None
            self.step = _branch(control, number)
        step = self.step
        if number == step if isinstance(step, int) else any(name.endswith(step) for name in names):
            self.spring()

    def spring(self) -> None:
        if self.trap.what == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        self.write(2, REACHED.encode())
        if self.trap.what == INTERRUPT:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _branch(control: Connection, number: int) -> int:
    """Wait in this process; return in copies of it, with the step at which each is trapped."""
    control.send(number)
    while True:
        step, seconds, group = control.recv()
        if step is None:
            os._exit(0)
        copy = os.fork()
        if not copy:
            os.setsid()
            return int(step)
        if seconds is not None:
            time.sleep(seconds)
            with suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(copy, signal.SIGKILL)
        _, status = os.waitpid(copy, 0)
        deadline = time.monotonic() + 60
        with suppress(ProcessLookupError):
            while time.monotonic() < deadline:  # what it has started may go on
                os.killpg(copy, 0)
                time.sleep(0.001)
        for handle in range(3, 99):  # the lock is the copy's, and goes with it
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_UN)
        control.send(os.waitstatus_to_exitcode(status))


def _is_in(path: object, folder: str, handle: object = -1) -> bool:
    """Tell whether a path, perhaps relative to an open folder, is in a folder."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False
    name = os.fsdecode(path)
    if not name.startswith("/") and isinstance(handle, int) and handle >= 0:
        with suppress(OSError):  # where there is no /proc, such steps do not count
            name = f"{Path(f'/proc/self/fd/{handle}').readlink()}/{name}"
    return name.startswith(folder)
