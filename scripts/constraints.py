"""`make constraints`: the newest versions that our tests know, written to tests/constraints.txt.

One resolution of all that our own tools, the template and the builds of both ask for, for every
Python and platform. The template's part is read from a rendering, as a person would have it.
"""

import os
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KNOWN = ROOT / "tests" / "constraints.txt"
HEAD = """\
# The versions that the tests run with, ours and those of the projects that they make, so that they
# fail for what we changed and for nothing else. Renewed by `make constraints`; `make newest` runs
# the tests without. Names and versions only.
# newest: {day}
"""


def main() -> None:
    """Write the file; with a path, write there what the known versions make of it."""
    elsewhere = Path(sys.argv[1]) if sys.argv[1:] else None
    within = ["--constraint", str(KNOWN)] if elsewhere else ["--upgrade"]
    options = ["--quiet", "--universal", "--python-version=3.11", "--no-annotate", "--no-header"]
    command = [sys.executable, "-m", "uv", "pip", "compile", *options, *within, "-"]
    env = {name: value for name, value in os.environ.items() if name != "UV_CONSTRAINT"}
    done = subprocess.run(
        command, input="\n".join(wanted()), stdout=subprocess.PIPE, text=True, env=env, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    text = HEAD.format(day=day() if elsewhere else f"{datetime.now(UTC):%Y-%m-%d}") + done.stdout
    (elsewhere or KNOWN).write_text(text, "utf-8")


def day() -> str:
    """The day from whose packages the known versions were chosen."""
    lines = KNOWN.read_text("utf-8").splitlines()
    return next(line.split()[-1] for line in lines if line.startswith("# newest: "))


def wanted() -> list[str]:
    """What this package, its tests, a generated project and the builds of both ask for."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "churn-model"
        new = ("new", str(made), "--defaults", "--ref", "HEAD", "--no-setup", "--no-git")
        subprocess.run(
            [sys.executable, "-m", "scaffold", *new], cwd=ROOT, capture_output=True, check=True
        )
        ours, theirs = facts(ROOT), facts(made)
    found = [*ours["project"]["dependencies"], *theirs["project"]["dependencies"]]
    found += ours["project"]["optional-dependencies"]["dev"]
    groups = theirs["dependency-groups"].values()
    found += [line for group in groups for line in group if isinstance(line, str)]
    for project in (ours, theirs):
        found += project["build-system"]["requires"]
    return found


def facts(folder: Path) -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))


if __name__ == "__main__":
    main()
