"""Counts the git processes that a program starts, by a `git` before the real one on PATH.

What git itself starts (remote helpers, packing) is not counted.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.programs import BenchmarkError, environment
from benchmarks.workshop import quoted


@dataclass(frozen=True)
class Counter:
    """A `git` that writes a line for each start and becomes the real one."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Counter:
        """Write the script."""
        real = shutil.which("git", path=environment()["PATH"])
        if real is None:
            raise BenchmarkError("git is not installed, or not on PATH")
        folder.mkdir(exist_ok=True)
        script = folder / "git"
        log = quoted(folder / "started")
        script.write_text(f'#!/bin/sh\necho x >> {log}\nexec {quoted(real)} "$@"\n')
        script.chmod(0o755)
        return cls(folder)

    @property
    def env(self) -> dict[str, str]:
        """What the program to watch needs in its environment."""
        return {"PATH": os.pathsep.join((str(self.folder), environment()["PATH"]))}

    def taken(self) -> int:
        """How many were started since this was last asked."""
        log = self.folder / "started"
        if not log.exists():
            return 0
        number = len(log.read_text().splitlines())
        log.unlink()
        return number
