"""Build a release: one wheel that holds the package and the model, the same bytes each time.

Touch this file to change what a release carries.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from .config import ROOT, OpsError, package_name
from .release import GATE, RELEASES, Release, load, run, sha256
from .state import actor, now, replace

ARTIFACTS = ROOT / "src" / package_name() / "artifacts"


def build(dirty: bool = False) -> Release:
    """Build a release from the commit that is checked out and the model trained from it."""
    commit, changed = _commit(dirty)
    model = _accepted_model(commit + ("-dirty" if changed else ""))
    RELEASES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RELEASES, prefix=".build-") as scratch:
        folder = Path(scratch) / "release"
        folder.mkdir()
        wheel = _wheel(folder, commit, model["model_sha256"])
        digest = sha256(wheel)
        name = f"{commit[:7]}{'-dirty' if changed else ''}-{digest[:8]}"
        if (RELEASES / name / "release.json").exists():  # built before: the evidence is kept
            os.utime(RELEASES / name / wheel.name)
            return load(name)
        locked = ["uv", "export", "--locked", "--no-dev", "--no-emit-project", "--no-header"]
        (folder / "requirements.txt").write_text(run(*locked), "utf-8")
        for file in ("golden.json", "report.json"):
            shutil.copyfile(GATE / file, folder / file)
        facts = {
            "release": name,
            "commit": commit,
            "subject": run("git", "log", "-1", "--format=%s").strip(),
            "dirty": changed,
            "built": now(),
            "builder": actor(),
            "wheel": wheel.name,
            "digest": digest,
            "requirements_sha256": sha256(folder / "requirements.txt"),
            "model_sha256": model["model_sha256"],
            "expires": model["expires"],
            "environments": {},
        }
        replace(folder / "release.json", json.dumps(facts, indent=2) + "\n")
        shutil.rmtree(RELEASES / name, ignore_errors=True)  # half of an earlier one
        folder.rename(RELEASES / name)
    return load(name)


def _commit(dirty: bool) -> tuple[str, bool]:
    """The commit checked out, and whether anything differs from it."""
    remedy = 'git init && git add --all && git commit -m "Start", then again'
    commit = run("git", "rev-parse", "--verify", "HEAD", remedy=remedy).strip()
    changed = [line[3:] for line in run("git", "status", "--porcelain").splitlines()]
    if changed and not dirty:
        cause = f"not committed: {', '.join(changed[:3])}{' and more' if len(changed) > 3 else ''}"
        raise OpsError(cause, "commit it, so that the release can be traced (or DIRTY=1)")
    return commit, bool(changed)


def _accepted_model(commit: str) -> Any:
    """What model.json says, when the gate accepted that very model and it is of this commit."""
    try:
        report = json.loads((GATE / "report.json").read_text("utf-8"))
        model = json.loads((ARTIFACTS / "model.json").read_text("utf-8"))
        actual = sha256(ARTIFACTS / "model.onnx")
    except (OSError, ValueError):
        raise OpsError("there is no model that passed the gate", "make train gate") from None
    if model["commit"] != commit:
        cause = f"the model was trained from {model['commit'][:14]}, not from {commit[:14]}"
        raise OpsError(cause, "make train gate")
    if not report["accepted"] or {report["model_sha256"], model["model_sha256"]} != {actual}:
        raise OpsError("the gate has not accepted this model", "make train gate")
    return model


def _wheel(folder: Path, commit: str, model_sha256: str) -> Path:
    """Build the wheel, and look whether the right model is inside."""
    epoch = run("git", "log", "-1", "--format=%ct", commit).strip()
    # Without isolation it is the locked hatchling that builds, and nothing is downloaded.
    command = ["uv", "build", "--wheel", "--quiet", "--no-build-isolation"]
    where = ["--python", sys.executable, "--out-dir", str(folder)]
    run(*command, *where, env={"SOURCE_DATE_EPOCH": epoch})
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
