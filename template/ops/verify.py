"""What a release must show in an environment before it gets traffic, and while it does.

Touch this file to add a proof. Each function returns one line saying what was seen, or raises
OpsError saying what was wrong.
"""

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
from .release import Release, differing, golden_rows, same
from .state import replace

Answer = tuple[Any, float]  # what a release said, and how many milliseconds it took
NEAR = 0.2  # how far the probabilities of two releases that answer alike may be from each other


def smoke(environment: Environment, release: Release) -> str:
    """Golden rows over HTTP get the predictions that were computed offline, and in time."""
    with engine.asking(environment, release.name) as door:
        answers = [_ask(door, row, environment, release.name) for row in golden_rows(release)]
    if wrong := differing(release, [said for said, _ in answers]):
        raise OpsError(wrong, "it does not serve the model it was built from; build it anew")
    slow, limit = p95(answers), environment.verify.latency_ms
    if slow > limit:
        cause = f"the 95th percentile of a prediction is {slow:.0f} ms, the limit {limit:g} ms"
        raise OpsError(cause, "make the model smaller, or raise latency_ms")
    return f"{len(answers)} golden rows as offline, p95 {slow:.1f} ms"


def acceptance(environment: Environment, release: Release) -> str:
    """The tests in tests/acceptance pass against this release in this environment."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/acceptance"]
    path = environment.logs / "acceptance.log"
    with engine.asking(environment, release.name) as client:
        target = {"ACCEPTANCE_URL": str(client.base_url), "ACCEPTANCE_RELEASE": release.name}
        target["ACCEPTANCE_ROWS"] = str(release.folder / "golden.json")
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | target, capture_output=True, text=True, check=False
        )
    replace(path, said := done.stdout + done.stderr)
    lines = said.strip().splitlines() or ["pytest printed nothing"]
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
    rows, olds, news = golden_rows(new), list[Answer](), list[Answer]()
    before = engine.counts(environment, new.name)
    with (
        engine.asking(environment, old) as old_door,
        engine.asking(environment, new.name) as new_door,
    ):
        example = _example(old_door)
        comparable = example.keys() == rows[0].keys()
        for row in islice(cycle(rows), need):
            known = row if comparable else example
            olds.append(_ask(old_door, known, environment, old, must=False))
            news.append(_ask(new_door, row, environment, new.name))
    after = engine.counts(environment, new.name)
    sent, errors = (after[key] - before[key] for key in ("requests", "errors"))
    if sent < need or errors:
        cause = f"not proven: {sent} of {need} requests came to {new.name}, {errors} failed"
        raise OpsError(cause, engine.logs(environment, new.name))
    alike = sum(agree(one, other) for (one, _), (other, _) in zip(olds, news, strict=True)) / need
    if comparable and alike < limits.agreement:
        cause = f"old and new release agree on {alike:.0%} of the golden rows, "
        remedy = "when that is meant, lower agreement in ops/environments.toml for this release"
        raise OpsError(cause + f"the limit is {limits.agreement:.0%}", remedy)
    slow, base = p95(news), p95(olds)
    if slow > max(base * limits.latency_ratio, limits.slack_ms):
        cause = f"the new release needs {slow:.1f} ms (p95), the old one {base:.1f} ms"
        raise OpsError(cause, "make the model smaller, or raise latency_ratio")
    seen = f"{alike:.0%} alike" if comparable else "other fields, so answers are not compared"
    return f"{sent} requests, 0 errors, p95 {slow:.1f} ms (old {base:.1f}), {seen}"


def agree(old: Any, new: Any) -> bool:
    """Whether two releases answer alike: the same class and probabilities, or a number.

    Alike are a number within a tenth, and a probability within NEAR. The old release may have
    refused a row that only the new one accepts.
    """
    if old is None or not same(old["prediction"], new["prediction"], 0.1):
        return False
    before, after = old.get("probabilities", {}), new.get("probabilities", {})
    return bool(before.keys() == after.keys()) and all(
        abs(share - after[name]) <= NEAR for name, share in before.items()
    )


def p95(answers: list[Answer]) -> float:
    """The 95th percentile of the answers' times (nearest rank), in milliseconds."""
    return sorted(ms for _, ms in answers)[math.ceil(0.95 * len(answers)) - 1]


def _example(client: httpx.Client) -> Any:
    """A release's own example of a row: its fields may be others than those of the new one."""
    post = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    return post["requestBody"]["content"]["application/json"]["examples"]["one row"]["value"]


def _ask(
    client: httpx.Client, row: Any, environment: Environment, name: str, must: bool = True
) -> Answer:
    started = time.perf_counter()
    try:
        answer = client.post("/predict", json=row)
        if answer.status_code != 200 and (must or answer.status_code != 422):
            cause = f"{name} answered a golden row with {answer.status_code}: {answer.text[:120]}"
            raise OpsError(cause, engine.logs(environment, name))
        said = answer.json() if answer.status_code == 200 else None
        return said, (time.perf_counter() - started) * 1000
    except (httpx.HTTPError, ValueError) as error:
        cause = f"{name} did not answer a golden row: {error or type(error).__name__}"
        raise OpsError(cause, engine.logs(environment, name)) from None
