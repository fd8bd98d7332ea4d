"""What a release must show in an environment before it gets traffic, and while it does.

Touch this file to add a proof. Each function returns one line saying what was seen, or raises
OpsError saying what was wrong.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import time
from itertools import cycle, islice
from typing import Any

import httpx

from . import engine
from .config import ROOT, Environment, OpsError
from .release import RELEASES, Release

TOLERANCE = 1e-6


def smoke(environment: Environment, release: Release) -> str:
    """Golden rows over HTTP get the predictions that were computed offline, and in time."""
    golden = golden_rows(release.name)
    asked, times = _ask(environment, {release.name: golden["rows"]})
    answers, seconds = asked[release.name], times[release.name]
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
    path = environment.logs / "acceptance.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        engine.asking(environment, release.name) as client,
        path.open("w", encoding="utf-8") as log,
    ):
        target = {"ACCEPTANCE_URL": str(client.base_url), "ACCEPTANCE_RELEASE": release.name}
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


def canary(environment: Environment, old: str, new: Release) -> str:
    """Send golden rows to the old and the new release, turn by turn, and compare.

    Errors are the engine's count for the new release, live traffic included; latency is what the
    client saw, and what slows the machine hits both; agreement is the share of rows that both
    answer alike.
    """
    limits, need = environment.verify, environment.verify.requests
    rows = golden_rows(new.name)["rows"]
    old_rows = _rows_for(environment, old, rows)
    comparable = old_rows is rows
    before = engine.counts(environment, new.name)
    questions = {new.name: rows, old: old_rows}
    turns = {name: list(islice(cycle(mine), need)) for name, mine in questions.items()}
    answers, seconds = _ask(environment, turns)
    after = engine.counts(environment, new.name)
    sent, errors = (after[key] - before[key] for key in ("requests", "errors"))
    if sent < need or errors:
        cause = f"not proven: {sent} of {need} requests came to {new.name}, {errors} failed"
        raise OpsError(cause, engine.logs(environment, new.name))
    alike = sum(map(agree, answers[old], answers[new.name])) / need
    if comparable and alike < limits.agreement:
        cause = f"old and new release agree on {alike:.0%} of the golden rows, "
        remedy = "when that is meant, lower agreement in ops/environments.toml for this release"
        raise OpsError(cause + f"the limit is {limits.agreement:.0%}", remedy)
    slow, base = p95(seconds[new.name]), p95(seconds[old])
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


def golden_rows(release: str) -> Any:
    """The golden rows of a release, and the predictions that they must get."""
    return json.loads((RELEASES / release / "golden.json").read_text("utf-8"))


def _rows_for(environment: Environment, name: str, rows: list[Any]) -> list[Any]:
    """These rows, or a release's own example when it has other fields: it may be unknown here."""
    with engine.asking(environment, name) as client:
        post = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    examples = post["requestBody"]["content"]["application/json"]["examples"]
    example = examples["one row"]["value"]
    return rows if example.keys() == rows[0].keys() else [example]


def _ask(
    environment: Environment, rows: dict[str, list[Any]]
) -> tuple[dict[str, list[Any]], dict[str, list[float]]]:
    """Ask releases for as many rows each, turn by turn: their answers, and the seconds of each."""
    answers: dict[str, list[Any]] = {name: [] for name in rows}
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    with contextlib.ExitStack() as stack:
        asked = {name: stack.enter_context(engine.asking(environment, name)) for name in rows}
        for turn in zip(*rows.values(), strict=True):
            for name, row in zip(rows, turn, strict=True):
                started = time.perf_counter()
                answers[name].append(_answer(asked[name], row, name, environment))
                seconds[name].append(time.perf_counter() - started)
    return answers, seconds


def _answer(client: httpx.Client, row: Any, name: str, environment: Environment) -> Any:
    try:
        answer = client.post("/predict", json=row)
        if answer.status_code != 200:
            cause = f"{name} answered a golden row with {answer.status_code}: {answer.text[:120]}"
            raise OpsError(cause, engine.logs(environment, name))
        return answer.json()
    except (httpx.HTTPError, ValueError) as error:
        cause = f"{name} did not answer a golden row: {error or type(error).__name__}"
        raise OpsError(cause, engine.logs(environment, name)) from None
