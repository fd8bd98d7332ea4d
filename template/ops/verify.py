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
    golden = json.loads((release.folder / "golden.json").read_text("utf-8"))
    rows, expected = golden["rows"], golden["predictions"]
    answers, seconds = _ask(environment, release.name, rows)
    for number, (wanted, got) in enumerate(zip(expected, answers, strict=True), start=1):
        if not same(wanted, got):
            cause = f"golden row {number} got {json.dumps(got)[:99]}, not {json.dumps(wanted)[:99]}"
            raise OpsError(cause, "it does not serve the model it was built from; build it anew")
    slow, limit = percentile(seconds, 0.95) * 1000, environment.verify.latency_ms
    if slow > limit:
        raise OpsError(
            f"the 95th percentile of a prediction is {slow:.0f} ms, the limit {limit:g} ms",
            "make the model smaller, or raise latency_ms in ops/environments.toml",
        )
    return f"{len(rows)} golden rows as offline, p95 {slow:.1f} ms"


def acceptance(environment: Environment, release: Release) -> str:
    """The tests in tests/acceptance pass against this release in this environment."""
    command = [sys.executable, "-m", "pytest", "--no-header", "-p", "no:cacheprovider"]
    variables = {"ACCEPTANCE_URL": environment.url, "ACCEPTANCE_RELEASE": release.name}
    done = subprocess.run(
        [*command, "tests/acceptance"],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    log = environment.logs / "acceptance.log"
    log.write_text(done.stdout + done.stderr, "utf-8")
    lines = done.stdout.strip().splitlines() or ["pytest printed nothing"]
    if done.returncode != 0:
        failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
        raise OpsError(f"acceptance: {(failed or lines[-1:])[0]}", f"see {log}")
    return lines[-1].strip("= ")


def canary(environment: Environment, old: Release, new: Release) -> str:
    """Send golden rows in pairs to the old and the new release through Envoy, and compare.

    Errors are Envoy's counters for the new release, live traffic included; latency is what the
    client saw; agreement is the share of rows that both answer alike.
    """
    limits = environment.verify
    rows = json.loads((new.folder / "golden.json").read_text("utf-8"))["rows"]
    wanted = [rows[index % len(rows)] for index in range(limits.requests)]
    before = envoy.counts(environment, new.name)
    old_answers, old_seconds = _ask(environment, old.name, wanted)
    new_answers, new_seconds = _ask(environment, new.name, wanted)
    after = envoy.counts(environment, new.name)
    sent, errors = after["total"] - before["total"], after["errors"] - before["errors"]
    if sent < limits.requests:
        raise OpsError(
            f"not proven: Envoy counted {sent} requests to {new.name}, not {limits.requests}",
            "deploy again; when it repeats, see the log of Envoy",
        )
    if errors:
        raise OpsError(f"{errors} of {sent} requests to {new.name} failed", "see its log")
    alike = sum(map(agree, old_answers, new_answers)) / len(wanted)
    if alike < limits.agreement:
        raise OpsError(
            f"the new release agrees with the old one on {alike:.0%} of the golden rows, "
            f"the limit is {limits.agreement:.0%}",
            "if that is meant, lower agreement in ops/environments.toml for this release",
        )
    slow, base = percentile(new_seconds, 0.95) * 1000, percentile(old_seconds, 0.95) * 1000
    if slow > max(base * limits.latency_ratio, limits.slack_ms):
        raise OpsError(
            f"the new release needs {slow:.1f} ms (p95), the old one {base:.1f} ms",
            "make the model smaller, or raise latency_ratio in ops/environments.toml",
        )
    return f"{sent} requests, 0 errors, p95 {slow:.1f} ms (old {base:.1f}), {alike:.0%} alike"


def same(wanted: Any, got: Any) -> bool:
    """Equal, numbers up to the tolerance."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return wanted.keys() == got.keys() and all(same(wanted[k], got[k]) for k in wanted)
    if isinstance(wanted, float) and isinstance(got, int | float):
        return math.isclose(wanted, got, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(wanted == got)


def agree(old: Any, new: Any) -> bool:
    """Whether two releases answer a row alike: the same class, or a number within a tenth."""
    first, second = old.get("prediction"), new.get("prediction")
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=0.1, abs_tol=TOLERANCE)
    return bool(first == second)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


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
