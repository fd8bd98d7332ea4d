"""What a release must show in an environment before it gets traffic, and while it does.

Touch this file to add a proof. Each function returns one line saying what was seen, or raises
OpsError saying what was wrong.
"""

import json
import math
import os
import subprocess
import sys
import time
from itertools import cycle, islice
from typing import Any

import httpx

from . import envoy
from .client import connect
from .config import ROOT, Environment, OpsError
from .envoy import HEADER
from .release import Release

TOLERANCE = 1e-6


def smoke(environment: Environment, release: Release) -> str:
    """Golden rows over HTTP get the predictions that were computed offline, and in time."""
    golden = _golden(release)
    answers, seconds = _ask(environment, release.name, golden["rows"])
    pairs = zip(golden["predictions"], answers, strict=True)
    for number, (wanted, got) in enumerate(pairs, start=1):
        if not same(wanted, got):
            cause = f"golden row {number} got {json.dumps(got)[:99]}, not {json.dumps(wanted)[:99]}"
            raise OpsError(cause, "it does not serve the model it was built from; build it anew")
    slow, limit = p95(seconds), environment.verify.latency_ms
    if slow > limit:
        cause = f"the 95th percentile of a prediction is {slow:.0f} ms, the limit {limit:g} ms"
        raise OpsError(cause, "make the model smaller, or raise latency_ms")
    return f"{len(answers)} golden rows as offline, p95 {slow:.1f} ms"


def acceptance(environment: Environment, release: Release) -> str:
    """The tests in tests/acceptance pass against this release in this environment."""
    # Without the conftest.py beside the unit tests, which loads the libraries for training.
    folder = "tests/acceptance"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--confcutdir", folder]
    target = {"ACCEPTANCE_URL": environment.url, "ACCEPTANCE_RELEASE": release.name}
    path = environment.logs / "acceptance.log"
    with path.open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [*command, folder],
            cwd=ROOT,
            env=os.environ | target,
            stdout=log,
            stderr=log,
            check=False,
        )
    lines = path.read_text("utf-8").strip().splitlines() or ["pytest printed nothing"]
    if done.returncode != 0:
        failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
        raise OpsError(f"acceptance: {(failed or lines[-1:])[0]}", f"see {path}")
    return lines[-1].strip("= ")


def canary(environment: Environment, old: Release, new: Release) -> str:
    """Send golden rows in pairs to the old and the new release through Envoy, and compare.

    Errors are Envoy's counters for the new release, live traffic included; latency is what the
    client saw; agreement is the share of rows that both answer alike.
    """
    limits, need = environment.verify, environment.verify.requests
    rows, old_rows = (_golden(release)["rows"] for release in (new, old))
    comparable = rows[0].keys() == old_rows[0].keys()
    before = envoy.counts(environment, new.name)
    new_answers, new_seconds = _ask(environment, new.name, list(islice(cycle(rows), need)))
    theirs = list(islice(cycle(rows if comparable else old_rows), need))
    old_answers, old_seconds = _ask(environment, old.name, theirs)
    after = envoy.counts(environment, new.name)
    sent, errors = (after[key] - before[key] for key in ("requests", "errors"))
    if sent < need or errors:
        cause = f"not proven: {sent} of {need} requests came to {new.name}, {errors} failed"
        raise OpsError(cause, f"see {environment.logs / new.name}.log")
    alike = sum(map(agree, old_answers, new_answers)) / need
    if comparable and alike < limits.agreement:
        cause = f"old and new release agree on {alike:.0%} of the golden rows, "
        remedy = "when that is meant, lower agreement in ops/environments.toml for this release"
        raise OpsError(cause + f"the limit is {limits.agreement:.0%}", remedy)
    slow, base = p95(new_seconds), p95(old_seconds)
    if slow > max(base * limits.latency_ratio, limits.slack_ms):
        cause = f"the new release needs {slow:.1f} ms (p95), the old one {base:.1f} ms"
        raise OpsError(cause, "make the model smaller, or raise latency_ratio")
    seen = f"{alike:.0%} alike" if comparable else "other fields, so answers are not compared"
    return f"{sent} requests, 0 errors, p95 {slow:.1f} ms (old {base:.1f}), {seen}"


def same(one: Any, other: Any, share: float = TOLERANCE) -> bool:
    """Equal, numbers up to a share of the larger one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k], share) for k in one)
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=share, abs_tol=TOLERANCE)
    return bool(one == other)


def agree(old: Any, new: Any) -> bool:
    """Whether two releases answer a row alike: the same class, or a number within a tenth."""
    return same(old["prediction"], new["prediction"], 0.1)


def p95(seconds: list[float]) -> float:
    """The 95th percentile of some times (nearest rank), in milliseconds."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1] * 1000


def _golden(release: Release) -> Any:
    return json.loads((release.folder / "golden.json").read_text("utf-8"))


def _ask(environment: Environment, name: str, rows: list[Any]) -> tuple[list[Any], list[float]]:
    """Ask one release for each row over one kept connection: the answers, and seconds for each."""
    answers, seconds, log = [], [], environment.logs / f"{name}.log"
    try:
        with connect(environment.url, timeout=10) as client:
            for row in rows:
                started = time.perf_counter()
                answer = client.post("/predict", json=row, headers={HEADER: name})
                seconds.append(time.perf_counter() - started)
                if answer.headers.get(HEADER) != name:
                    raise OpsError(f"Envoy did not route to {name}", "make up, then deploy again")
                if answer.status_code != 200:
                    cause = f"{name} answered a golden row with {answer.status_code}"
                    raise OpsError(f"{cause}: {answer.text[:120]}", f"see {log}")
                answers.append(answer.json())
    except (httpx.HTTPError, ValueError) as error:
        cause = f"{name} did not answer a golden row: {error or type(error).__name__}"
        raise OpsError(cause, f"see {log}") from None
    return answers, seconds
