"""A person at a real terminal: reads what is on the screen, and presses keys."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support import clean_environment

ENTER, DOWN, CTRL_C, CTRL_D = "\r", "\x1b[B", "\x03", "\x04"
_SECONDS = 30
_STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_WHERE_IS_THE_CURSOR = b"\x1b[6n"


class Person:
    """Somebody who has typed a command."""

    def __init__(
        self,
        folder: Path,
        *argv: str | Path,
        env: Mapping[str, str],
        size: tuple[int, int] = (50, 200),
    ) -> None:
        environment = clean_environment() | {"TERM": "xterm"} | dict(env)
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            words = [sys.executable, "-m", "scaffold", *map(str, argv)]
            os.execve(sys.executable, words, environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self._raw = b""
        self._read_up_to = 0

    @property
    def raw(self) -> str:
        """All that was ever sent to the screen."""
        return self._raw.decode("utf-8", "replace")

    @property
    def screen(self) -> str:
        """All that was ever on the screen, without colours."""
        return _STYLES.sub("", self.raw)

    def see(self, text: str) -> "Person":
        """Wait until a text comes after those seen before."""
        deadline = time.monotonic() + _SECONDS
        while (at := self.screen.find(text, self._read_up_to)) < 0:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.screen}"
            assert self._read(), f"it ended without {text!r}: {self.screen}"
        self._read_up_to = at + len(text)
        return self

    def press(self, *keys: str) -> "Person":
        """Press keys, when what is asked is there."""
        while select.select([self._terminal], [], [], 0.1)[0] and self._read():
            pass
        for key in keys:
            os.write(self._terminal, key.encode())
            time.sleep(0.02)
        return self

    def end(self) -> int:
        """Wait for the end, and return the exit code."""
        while self._read():
            pass
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], _SECONDS)
        assert ready, f"it hangs: {self.screen}"
        try:
            seen = os.read(self._terminal, 65536)
        except OSError:  # Linux says so when the other end has closed
            return False
        self._raw += seen
        if _WHERE_IS_THE_CURSOR in seen:
            os.write(self._terminal, b"\x1b[1;1R")
        return bool(seen)
