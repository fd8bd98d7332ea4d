"""A release: one wheel that holds the package and the model, and the evidence about it.

    .state/releases/<release>/release.json       commit, digest, what each environment said
    .state/releases/<release>/*.whl              what is deployed; its sha256 is the digest
    .state/releases/<release>/requirements.txt   the locked dependencies it runs with
    .state/releases/<release>/golden.json        golden rows and the predictions they must get
    .state/releases/<release>/report.json        what the gate said
    .state/releases/<release>/venv               made by the first deploy on this machine

Built once; the same files travel through every environment. Touch this file to change what a
release carries or how it is proven to be the one that was tested.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import ROOT, STATE, Environment, OpsError, package_name
from .state import actor, now, replace

RELEASES = STATE / "releases"
GATE = STATE / "gate"
CHAMPION = STATE / "champion"
KEEP = 10  # releases kept on disk beside those that an environment remembers


@dataclass(frozen=True)
class Release:
    """A built release. `digest` is the sha256 of its wheel."""

    name: str
    folder: Path
    digest: str
    facts: dict[str, Any]

    @property
    def wheel(self) -> Path:
        """The file that is deployed."""
        return self.folder / str(self.facts["wheel"])

    @property
    def python(self) -> Path:
        """The interpreter of its own virtual environment, once installed."""
        return self.folder / "venv" / "bin" / "python"


def run(command: list[str], env: dict[str, str] | None = None, remedy: str = "") -> str:
    """Run a program in the repository and return what it printed; its last line is the cause."""
    variables = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | (env or {})
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise OpsError(f"{command[0]} is not installed", f"install {command[0]}") from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no message"]
        raise OpsError(f"{' '.join(command[:3])}: {lines[-1]}", remedy)
    return done.stdout


def build(dirty: bool = False) -> Release:
    """Build a release from the commit that is checked out and the model trained from it."""
    commit, changed = _commit(dirty)
    report, model = _accepted_model(commit, changed)
    RELEASES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RELEASES, prefix=".build-") as scratch:
        folder = Path(scratch) / "release"
        folder.mkdir()
        wheel = _wheel(folder, commit, str(model["model_sha256"]))
        digest = sha256(wheel)
        name = f"{commit[:7]}{'-dirty' if changed else ''}-{digest[:8]}"
        if (RELEASES / name / "release.json").exists():
            return load(name)
        exported = run(["uv", "export", "--locked", "--no-dev", "--no-emit-project", "--no-header"])
        (folder / "requirements.txt").write_text(exported, "utf-8")
        for file in ("golden.json", "report.json"):
            shutil.copyfile(GATE / file, folder / file)
        facts = {
            "release": name,
            "commit": commit,
            "dirty": changed,
            "subject": run(["git", "log", "-1", "--format=%s"]).strip(),
            "built": now(),
            "builder": actor(),
            "wheel": wheel.name,
            "digest": digest,
            "requirements_sha256": sha256(folder / "requirements.txt"),
            "model_sha256": model["model_sha256"],
            "expires": model["expires"],
            "skill": report["skill"],
            "environments": {},
        }
        replace(folder / "release.json", json.dumps(facts, indent=2) + "\n")
        if (RELEASES / name).exists():  # half of an earlier build
            shutil.rmtree(RELEASES / name)
        folder.rename(RELEASES / name)
    return load(name)


def load(name: str) -> Release:
    """A release by name, or by a beginning that only one release has."""
    matches = sorted(
        p.parent for p in RELEASES.glob("*/release.json") if p.parent.name.startswith(name)
    )
    exact = [folder for folder in matches if folder.name == name]
    if len(exact or matches) != 1:
        what = "several releases begin with" if matches else "there is no release"
        raise OpsError(f"{what} {name!r}", "make status lists them; make build makes one")
    folder = (exact or matches)[0]
    try:
        facts = json.loads((folder / "release.json").read_text("utf-8"))
        return Release(str(facts["release"]), folder, str(facts["digest"]), facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OpsError(
            f"{folder / 'release.json'} cannot be read: {type(error).__name__}",
            f"delete {folder}, then make build",
        ) from None


def newest() -> Release:
    """The release built last."""
    times = [(p.stat().st_mtime, p.parent.name) for p in RELEASES.glob("*/*.whl")]
    if not times:
        raise OpsError("nothing was built yet", "make train gate build")
    return load(max(times)[1])


def prove(release: Release, environment: Environment) -> str:
    """Check that the wheel is the one that was built and passed the environment before this one."""
    if not release.wheel.exists() or sha256(release.wheel) != release.digest:
        raise OpsError(
            f"{release.wheel.name} is not the file that was built",
            f"delete {release.folder}, then make build",
        )
    if environment.after is None:
        return "the wheel is the one that was built"
    verdict = release.facts["environments"].get(environment.after, {})
    if verdict.get("result") != "passed" or verdict.get("digest") != release.digest:
        raise OpsError(
            f"{release.name} has not passed {environment.after}",
            f"make deploy ENV={environment.after} RELEASE={release.name}",
        )
    return f"passed {environment.after} at {verdict['at']}"


def record(release: Release, environment: Environment, result: str) -> None:
    """Write into release.json what an environment said. Two environments may write at once."""
    with (release.folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        path = release.folder / "release.json"
        facts = json.loads(path.read_text("utf-8"))
        verdict = {"result": result, "digest": release.digest, "at": now(), "who": actor()}
        facts["environments"][environment.name] = verdict
        replace(path, json.dumps(facts, indent=2) + "\n")


def install(release: Release) -> str:
    """Give the release its own virtual environment: the locked dependencies and the wheel."""
    venv = release.folder / "venv"
    if (venv / "installed").exists():
        return "already installed"
    with (release.folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if (venv / "installed").exists():
            return "already installed"
        shutil.rmtree(venv, ignore_errors=True)
        run(["uv", "venv", "--quiet", "--python", sys.executable, str(venv)])
        pip = ["uv", "pip", "install", "--quiet", "--python", str(release.python), "--no-deps"]
        locked = str(release.folder / "requirements.txt")
        run([*pip, "--require-hashes", "-r", locked], remedy="check the network, then deploy again")
        run([*pip, "--compile-bytecode", str(release.wheel)])
        (venv / "installed").touch()
    return "installed"


def champion_after(release: Release) -> bool:
    """Remember the model of a release in production when it is the best one so far."""
    report = json.loads((release.folder / "report.json").read_text("utf-8"))
    best = report.get("champion")
    if best is not None and report["skill"] < best["skill"]:
        return False
    beside = CHAMPION.with_name(".champion.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    with zipfile.ZipFile(release.wheel) as archive:
        for name in ("model.onnx", "model.json"):
            (beside / name).write_bytes(archive.read(f"{package_name()}/artifacts/{name}"))
    shutil.rmtree(CHAMPION, ignore_errors=True)
    beside.rename(CHAMPION)
    return True


def verdict() -> str:
    """What the gate said last, in one line."""
    report = json.loads((GATE / "report.json").read_text("utf-8"))
    worst = report["worst_slice"]
    return f"skill {report['skill']:.3f}, on {worst['name']} {worst['skill']:.3f}"


def prune(remembered: set[str]) -> None:
    """Delete old releases that no environment remembers."""
    folders = sorted(RELEASES.glob("*/release.json"), key=lambda p: p.stat().st_mtime, reverse=True)
    for path in folders[KEEP:]:
        if path.parent.name not in remembered:
            shutil.rmtree(path.parent, ignore_errors=True)


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _commit(dirty: bool) -> tuple[str, bool]:
    """The commit checked out, and whether anything differs from it."""
    remedy = 'git init && git add --all && git commit -m "Start", then again'
    commit = run(["git", "rev-parse", "--verify", "HEAD"], remedy=remedy).strip()
    changed = run(["git", "status", "--porcelain"]).splitlines()
    if changed and not dirty:
        some = ", ".join(line[3:] for line in changed[:3])
        raise OpsError(
            f"not committed: {some}{' and more' if len(changed) > 3 else ''}",
            "commit it, so that the release can be traced to a commit (or: make build DIRTY=1)",
        )
    return commit, bool(changed)


def _accepted_model(commit: str, dirty: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The gate's report and the model's facts, when they belong to this commit."""
    folder = ROOT / "src" / package_name() / "artifacts"
    try:
        report = json.loads((GATE / "report.json").read_text("utf-8"))
        model = json.loads((folder / "model.json").read_text("utf-8"))
        actual = sha256(folder / "model.onnx")
    except (OSError, ValueError):
        raise OpsError("there is no model that passed the gate", "make train gate") from None
    wanted = commit + ("-dirty" if dirty else "")
    if model["commit"] != wanted:
        raise OpsError(
            f"the model was trained from {model['commit'][:12]}, not from {wanted[:12]}",
            "make train gate",
        )
    if (
        not report["accepted"]
        or report["model_sha256"] != actual
        or model["model_sha256"] != actual
    ):
        raise OpsError("the gate has not accepted this model", "make train gate")
    return report, model


def _wheel(folder: Path, commit: str, model_sha256: str) -> Path:
    """Build the wheel, the same bytes each time, and look inside."""
    epoch = run(["git", "log", "-1", "--format=%ct", commit]).strip()
    command = [
        "uv",
        "build",
        "--wheel",
        "--quiet",
        "--no-build-isolation",
        "--out-dir",
        str(folder),
    ]
    run([*command, "--python", sys.executable], env={"SOURCE_DATE_EPOCH": epoch})
    (folder / ".gitignore").unlink(missing_ok=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        try:
            inside = archive.read(f"{package_name()}/artifacts/model.onnx")
        except KeyError:
            raise OpsError("the wheel holds no model", "see artifacts in pyproject.toml") from None
    if hashlib.sha256(inside).hexdigest() != model_sha256:
        raise OpsError("the wheel holds another model than the gate saw", "make train gate build")
    return wheel
