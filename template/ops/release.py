"""A release: built once, the same bytes each time, and the evidence about it.

    .state/releases/<release>/release.json       commit, digest, what each environment said
    .state/releases/<release>/*.whl              what is deployed; its sha256 is the digest
    .state/releases/<release>/requirements.txt   the locked dependencies it runs with
    .state/releases/<release>/golden.json        golden rows and the predictions they must get
    .state/releases/<release>/report.json        what the gate said

The same files travel through every environment. Touch this file to change what a release carries,
or how it is proven to be the one that was tested.
"""

import contextlib
import fcntl
import glob
import hashlib
import json
import math
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .config import ROOT, STATE, Environment, OpsError, package_name
from .state import actor, authors, now, replace, run

CHECKOUT = ROOT / ".state"
RELEASES = STATE / "releases"
GATE = STATE / "gate"
NEWEST = "newest"  # a file beside the releases: the name of the one built last
CHAMPION = STATE / "champion"
ARTIFACTS = ROOT / "src" / package_name() / "artifacts"  # of the model trained last
EXPORT = ("uv", "export", "--locked", "--no-dev", "--no-emit-project", "--no-header")
TOLERANCE = 1e-6  # between an answer and what was predicted offline
KEEP = 10  # releases kept on disk beside those that an environment remembers


class Release(BaseModel):
    """What release.json says. `digest` is the sha256 of the wheel."""

    name: str
    commit: str
    subject: str
    dirty: bool
    built: str
    authors: list[str] = []  # who committed and who built it: not the ones to approve it
    wheel: str
    digest: str
    requirements_sha256: str
    model_sha256: str
    expires: str
    image: str = ""  # where its image was pushed: registry/name@sha256:...
    training: str = ""  # the same of the image that trains, where there is one
    environments: dict[str, dict[str, str]] = {}  # what each said: result, digest, at, who

    @property
    def folder(self) -> Path:
        return RELEASES / self.name


def build(dirty: bool = False) -> Release:
    """Build a release from the commit that is checked out and the model trained from it."""
    commit, changed = checked_out(dirty)
    model = _accepted_model(commit + ("-dirty" if changed else ""))
    RELEASES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RELEASES, prefix=".build-") as scratch:
        folder = Path(scratch) / "release"
        wheel = _wheel(folder, commit, model["model_sha256"])
        digest = sha256(wheel)
        name = f"{commit[:7]}{'-dirty' if changed else ''}-{digest[:8]}"
        if (RELEASES / name / "release.json").exists():  # built before: the evidence is kept
            replace(RELEASES / NEWEST, name)
            return load(name)
        (folder / "requirements.txt").write_text(run(*EXPORT), "utf-8")
        for file in ("golden.json", "report.json"):
            shutil.copyfile(GATE / file, folder / file)
        if (ROOT / "ops" / "kubernetes").exists():  # what the image for training is made of
            (folder / "training.txt").write_text(run(*EXPORT, "--group=training"), "utf-8")
            shutil.copy(ROOT / "pyproject.toml", folder)
            (folder / "data").mkdir()
            shutil.copy(ROOT / "data" / "golden.csv", folder / "data")
        release = Release(
            name=name,
            commit=commit,
            subject=run("git", "log", "-1", "--format=%s").strip(),
            dirty=changed,
            built=f"{now()} by {actor()}",
            authors=authors(),
            wheel=wheel.name,
            digest=digest,
            requirements_sha256=sha256(folder / "requirements.txt"),
            model_sha256=model["model_sha256"],
            expires=model["expires"],
        )
        replace(folder / "release.json", release.model_dump_json(indent=2) + "\n")
        shutil.rmtree(RELEASES / name, ignore_errors=True)  # half of an earlier one
        folder.rename(RELEASES / name)
    replace(RELEASES / NEWEST, name)
    return release


def is_name(text: str) -> bool:
    """Whether it is how releases are called, and no stand-in of a rehearsal."""
    return bool(re.fullmatch(r"[0-9a-f]{7}(-dirty)?-[0-9a-f]{8}", text))


def load(name: str) -> Release:
    """A release by name, or by a beginning that only one release has."""
    found = sorted(RELEASES.glob(f"{glob.escape(name)}*/release.json"))
    found = [path for path in found if path.parent.name == name] or found
    if len(found) != 1:
        what = "several releases begin with" if found else "there is no release"
        raise OpsError(f"{what} {name!r}", "ls .state/releases; make build makes a new one")
    with contextlib.suppress(OSError, ValueError):
        release = Release.model_validate_json(found[0].read_bytes())
        if release.folder == found[0].parent:  # else it is another one's
            return release
    raise OpsError(f"{found[0]} is broken", "restore it, or deploy another release")


def newest() -> Release:
    """The release built last, whatever the clock did since."""
    return load(_last(RELEASES))


@contextlib.contextmanager
def carried(name: str) -> Iterator[Release]:
    """The release that CI carries from job to job in the checkout.

    Where a server's state lies elsewhere it is brought there, and its verdicts are brought back.
    """
    if STATE == CHECKOUT:
        yield load(name) if name else newest()
        return
    brought = CHECKOUT / "releases"
    here = brought / (name or _last(brought))
    shutil.copytree(here, RELEASES / here.name, dirs_exist_ok=True)
    try:
        yield load(here.name)
    finally:
        shutil.copyfile(RELEASES / here.name / "release.json", here / "release.json")


def prove(release: Release, environment: Environment) -> str:
    """Check that the files are those that were built, and passed the environment before this."""
    hashes = {release.wheel: release.digest, "requirements.txt": release.requirements_sha256}
    for name, digest in hashes.items():
        path = release.folder / name
        if not path.exists() or sha256(path) != digest:
            remedy = f"restore it, or delete {release.folder} and make build"
            raise OpsError(f"{name} is not the file that was built", remedy)
    if environment.after is None:
        return "the wheel is the one that was built"
    verdict = release.environments.get(environment.after, {})
    if verdict.get("result") != "passed" or verdict.get("digest") != release.digest:
        remedy = f"make deploy ENV={environment.after} RELEASE={release.name}"
        raise OpsError(f"{release.name} has not passed {environment.after}", remedy)
    return f"passed {environment.after} at {verdict['at']}"


def record(release: Release, environment: Environment, result: str, **more: str) -> None:
    """Write into release.json what an environment said."""
    said = {"result": result, "digest": release.digest, "at": now(), "who": actor()}
    said |= {name: text for name, text in more.items() if text}
    amend(release, environments={environment.name: said})


def amend(release: Release, environments: Any = None, **changes: str) -> None:
    """Write changes into release.json; what other environments said of it stays."""
    with alone(release):
        fresh = load(release.name)
        fresh.environments.update(environments or {})
        text = fresh.model_copy(update=changes).model_dump_json(indent=2)
        replace(release.folder / "release.json", text + "\n")


def golden_rows(release: Release) -> Any:
    """The golden rows, as a client sends them."""
    return json.loads((release.folder / "golden.json").read_text("utf-8"))["rows"]


def differing(release: Release, answers: list[Any]) -> str:
    """The first golden row whose answer is not the one predicted offline, in words, or nothing."""
    wanted = json.loads((release.folder / "golden.json").read_text("utf-8"))["predictions"]
    for number, (one, got) in enumerate(zip(wanted, answers, strict=True), start=1):
        if not same(one, got):
            return f"golden row {number} got {json.dumps(got)[:99]}, not {json.dumps(one)[:99]}"
    return ""


def same(one: Any, other: Any, share: float = TOLERANCE) -> bool:
    """Equal, numbers up to a share of the larger one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k], share) for k in one)
    if type(one) in (int, float) and type(other) in (int, float):
        return math.isclose(one, other, rel_tol=share, abs_tol=TOLERANCE)
    return bool(one == other)


def crown(release: Release) -> bool:
    """Remember the model of a release in production when it is the best one so far."""
    mine = json.loads((release.folder / "report.json").read_text("utf-8"))
    with contextlib.suppress(OSError, ValueError, KeyError):  # no champion yet, or a broken one
        best = json.loads((CHAMPION / "report.json").read_text("utf-8"))
        same_rows = mine["golden_fingerprint"] == best["golden_fingerprint"]
        if same_rows and mine["skill"] <= best["skill"]:
            return False
    beside = CHAMPION.with_name(".champion.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    shutil.copyfile(release.folder / "report.json", beside / "report.json")
    with zipfile.ZipFile(release.folder / release.wheel) as archive:
        for name in ("model.onnx", "model.json"):
            (beside / name).write_bytes(archive.read(f"{package_name()}/artifacts/{name}"))
    shutil.rmtree(CHAMPION, ignore_errors=True)
    beside.rename(CHAMPION)
    return True


def prune(remembered: set[str]) -> None:
    """Delete old releases that no environment remembers, and the logs of what is not there."""
    files = sorted(RELEASES.glob("*/release.json"), key=lambda path: -path.stat().st_mtime)
    for path in files[KEEP:]:
        if path.parent.name not in remembered:
            shutil.rmtree(path.parent, ignore_errors=True)
    for log in STATE.glob("*/logs/*.log*"):
        name = log.name.partition(".")[0]
        if is_name(name.removeprefix("old-")) and not (RELEASES / name).exists():
            log.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def alone(release: Release) -> Iterator[None]:
    """Hold a release's folder for one change."""
    with (release.folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def checked_out(dirty: bool) -> tuple[str, bool]:
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
        hashes = {report["model_sha256"], model["model_sha256"], sha256(ARTIFACTS / "model.onnx")}
        accepted, trained_from = report["accepted"], model["commit"]
    except (OSError, ValueError, KeyError, TypeError):
        raise OpsError("there is no model that passed the gate", "make train gate") from None
    if trained_from != commit:
        raise OpsError("the model was trained from other files than these", "make train gate")
    if not accepted or len(hashes) != 1:
        raise OpsError("the gate has not accepted this model", "make train gate")
    return model


def _last(folder: Path) -> str:
    if not (folder / NEWEST).exists():
        raise OpsError("nothing was built yet", "make train gate build; in CI a job before does it")
    return (folder / NEWEST).read_text("utf-8")


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
        path = f"{package_name()}/artifacts/model.onnx"
        inside = archive.read(path) if path in archive.namelist() else b""
    if hashlib.sha256(inside).hexdigest() != model_sha256:
        raise OpsError(
            "the wheel does not hold the model that the gate saw", "make train gate build"
        )
    return wheel
