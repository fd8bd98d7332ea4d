"""Helpers of the tests: run programs as a person would, write small templates and repositories."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IDENTITY = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}
Done = subprocess.CompletedProcess[str]
# One cache for the whole session, workers included; the person's own is left alone.
CACHE = os.environ.setdefault("TEST_SCAFFOLD_CACHE", tempfile.mkdtemp(prefix="scaffold-cache-"))

KNOWN = ROOT / "tests" / "constraints.txt"


def known_versions() -> dict[str, str]:
    """What lets uv choose no other versions than those in KNOWN; nothing in `make newest`.

    By way of a link: in these variables a space ends a path.
    """
    if os.environ.get("NEWEST"):
        return {}
    link = Path(CACHE) / KNOWN.name
    with suppress(FileExistsError):
        link.symlink_to(KNOWN)
    return dict.fromkeys(("UV_CONSTRAINT", "UV_BUILD_CONSTRAINT"), str(link))


def last_known_day() -> dict[str, str]:
    """What `uv lock --upgrade` needs to find nothing newer than KNOWN; nothing in `make newest`."""
    if os.environ.get("NEWEST"):
        return {}
    [day] = re.findall(r"(?m)^# newest: ([\d-]+)$", KNOWN.read_text())
    return {"UV_EXCLUDE_NEWER": day}


def clean_environment() -> dict[str, str]:
    """The environment of a person who is in no virtual environment, git hook or CI job."""
    python = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    vendors = ("AUTHORS", "DEPLOY_RUNNER", "REGISTRY", "WHY")  # what the pipeline listens to
    left_out = (*python, *vendors, "UV_RUN_RECURSION_DEPTH", "NO_COLOR", "PYTEST_ADDOPTS")
    others = ("GIT_", "MLOPS_", "COPIER_", "MAKE", "MFLAGS", "GITHUB_", "GITLAB_", "CI_", "OPS_")
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in left_out and not name.startswith(others)
    }
    # The tools beside this Python (copier, uv), also when its environment is not activated.
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join((beside, env.get("PATH", os.defpath)))
    # What mypy knows of libraries is the same for every project; two at once would spoil it.
    types = f"{CACHE}/mypy-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    caches = {"MLOPS_SCAFFOLD_CACHE": CACHE, "MYPY_CACHE_DIR": types}
    return env | {"PATH": path} | caches | known_versions()


def run(
    *argv: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> Done:
    """Run a program to its end, with no terminal, and return what it printed."""
    return subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env=clean_environment() | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def cli(
    *argv: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> Done:
    """Run `mlops-scaffold` as this checkout has it."""
    return run(sys.executable, "-m", "scaffold", *argv, cwd=cwd, env=env, seconds=seconds)


def sh(*argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program that must succeed, and return its stdout."""
    done = run(*argv, cwd=cwd, env=env)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a tree of text files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def commit(folder: Path, files: Mapping[str, str] | None = None, *, tag: str | None = None) -> str:
    """Commit a folder as it is after writing the files, making it a repository if need be."""
    write(folder, files or {})
    if not (folder / ".git").exists():
        sh("git", "init", "-q", "-b", "main", folder)
    sh("git", "add", "-A", cwd=folder)
    sh("git", "commit", "-q", "--allow-empty", "-m", "Change", cwd=folder, env=IDENTITY)
    if tag:
        sh("git", "tag", tag, cwd=folder)
    return sh("git", "rev-parse", "HEAD", cwd=folder).strip()


ANSWERS_FILE = {"{{_copier_conf.answers_file}}.jinja": "{{ _copier_answers|to_nice_yaml -}}\n"}
SMALL = {
    "copier.yml": "project_name:\n  type: str\n  default: '{{ _folder_name }}'\n"
    "size:\n  type: int\n  default: 3\n",
    "hello.txt.jinja": "{{ project_name }} {{ size }}\n",
    **ANSWERS_FILE,
}


def template(folder: Path, files: Mapping[str, str] = SMALL, tag: str | None = "v1.0.0") -> Path:
    """Make a small copier template with one version."""
    commit(folder, files, tag=tag)
    return folder


def checkout(folder: Path) -> Path:
    """Make a repository of this project as its work tree stands, with one commit."""
    names = sh("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines()
    for name in names:
        if (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    facts = folder / "pyproject.toml"  # the copy is of no release, even when its original is
    facts.write_text(
        re.sub("(?m)^version = .*", 'version = "0.0.1.dev0"', facts.read_text(), count=1)
    )
    commit(folder)
    return folder


def leftovers(folder: Path) -> list[str]:
    """Return what a killed or failed command left hidden in a folder."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]
