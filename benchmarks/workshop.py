"""The scratch place of one run: this work tree as a released version, and projects made with it."""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.programs import timed
from scaffold.project import ports
from tests.e2e.shop import Shop
from tests.support import checkout


@dataclass(frozen=True)
class Workshop:
    """A temporary folder, and what more than one benchmark needs in it, made when first wanted."""

    folder: Path
    quick: bool

    @cached_property
    def template(self) -> Path:
        """A Git repository of this work tree with one commit, which releases and tags a version."""
        made = checkout(self.folder / "checkout")
        project = made / "pyproject.toml"
        text, changed = re.subn(r'(?m)^(version = "[\d.]+?)\.?dev\d*"', r'\1"', project.read_text())
        project.write_text(text)
        if changed:
            timed(["git", "commit", "-q", "-a", "-m", "Release"], made)
        version = re.search(r'(?m)^version = "(.+)"', text)
        assert version is not None
        timed(["git", "tag", f"v{version[1]}"], made)
        return made

    @cached_property
    def bin(self) -> Path:
        """Where the programs of the installed wheel of that version are, and copier's."""
        wheels, made = self.folder / "dist", self.folder / "installed"
        timed(["uv", "build", "-q", "--wheel", "-o", str(wheels), str(self.template)], self.folder)
        self.install(made, *map(str, wheels.glob("*.whl")))
        return made / "bin"

    def install(self, made: Path, *packages: str) -> Path:
        """Make a virtual environment with packages, compiled; returns its interpreter."""
        python = made / "bin" / "python"
        timed(["uv", "venv", "-q", "--python", sys.executable, str(made)], self.folder)
        pip = ["uv", "pip", "install", "-q", "--compile-bytecode", "--python", str(python)]
        # What the tests know is for projects of ours; others may need older libraries than that.
        timed([*pip, *packages], self.folder, {"UV_CONSTRAINT": "", "UV_BUILD_CONSTRAINT": ""})
        return python

    def new(self, name: str) -> Shop:
        """A generated project, set up."""
        path = self.folder / name / "churn-model"
        path.parent.mkdir()
        port = ports.free_base(path.parent)
        argv = [str(self.bin / "mlops-scaffold"), "new", str(path), "--defaults"]
        timed([*argv, "-d", f"port={port}"], self.folder)
        return Shop(path)


@contextmanager
def workshop(quick: bool) -> Iterator[Workshop]:
    """Make the scratch folder, and remove it."""
    with tempfile.TemporaryDirectory(prefix="mlops-bench-", ignore_cleanup_errors=True) as folder:
        yield Workshop(Path(folder), quick)


def shell(command: str) -> list[str]:
    """A command line for timed()."""
    return ["sh", "-c", command]


def quoted(*words: str | Path) -> str:
    """Words as one command line."""
    return shlex.join(map(str, words))
