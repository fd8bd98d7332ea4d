"""How fast one-row `/predict` is beside other servers of the same ONNX model, side by side.

All servers are up at once and idle but one; each round loads each of them for some seconds, so that
a slow moment of the machine hits all. A ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, replace
from statistics import median
from typing import Any

from benchmarks import loads, machine, servers
from benchmarks.programs import BenchmarkError, Running, Server, running
from benchmarks.report import Part, Verdict, table
from benchmarks.servers import BARE, BENTOML, MLSERVER, OURS, OURS_V2, Model
from benchmarks.workshop import Workshop

CONNECTIONS = (1, 16)


def measure(shop: Workshop) -> dict[str, Any]:
    """Cold starts, load and memory of every server."""
    model = servers.release(shop)
    folders = {name: shop.folder / f"run-{name}" for name in ("ours", "bare", "ml", "bento")}
    for folder in folders.values():
        folder.mkdir()
    contestants = [
        servers.ours(model, folders["ours"]),
        servers.bare(model, folders["bare"]),
        servers.mlserver(model, shop, folders["ml"]),
        servers.bentoml(model, shop, folders["bento"]),
    ]
    cold = _cold_starts(contestants, 1 if shop.quick else 5)
    with ExitStack() as stack:
        up = [
            stack.enter_context(running(server, core=loads.SERVER_CORE)) for server in contestants
        ]
        samples = _load(up, model, *((1, 1.0) if shop.quick else (7, 3.0)))
        memory = {one.server.name: one.memory() for one in up}
    return {
        "generator": loads.generator(),
        "cold": cold,
        "samples": samples,
        "memory": memory,
        "versions": _versions(contestants),
    }


def _cold_starts(contestants: list[Server], rounds: int) -> dict[str, list[float]]:
    """Seconds from start to the first prediction; one unmeasured start before warms the disk."""
    seconds: dict[str, list[float]] = {server.name: [] for server in contestants}
    for number in range(rounds + 1):
        for server in contestants:
            with running(server) as one:
                if number:
                    seconds[server.name].append(one.cold_start)
    return seconds


def _load(up: list[Running], model: Model, rounds: int, seconds: float) -> dict[str, Any]:
    """Summaries of every round, by number of connections and server."""
    asked = {one.server.name: one.server for one in up}
    path = f"/v2/models/{model.package.replace('_', '-')}/infer"
    asked[OURS_V2] = replace(asked[OURS], name=OURS_V2, path=path, body=model.tensor)
    for server in asked.values():
        _check(server, model)
        loads.load(server, 16, 1.0)
    samples: dict[str, Any] = {str(c): {name: [] for name in asked} for c in CONNECTIONS}
    for _ in range(rounds):
        for connections in CONNECTIONS:
            for name, server in asked.items():
                summary = loads.load(server, connections, seconds)
                samples[str(connections)][name].append(asdict(summary))
    return samples


def _check(server: Server, model: Model) -> None:
    """A server counts only when its probabilities are those of the model."""
    expected = list(model.answer["probabilities"].values())
    answer = json.loads(server.ask())
    outputs = {tensor["name"]: tensor["data"] for tensor in answer.get("outputs", [])}
    found = outputs.get("probabilities") or list(answer.get("probabilities", {}).values())
    near = [abs(a - b) < 1e-6 for a, b in zip(found, expected, strict=False)]
    if len(found) != len(expected) or not all(near):
        raise BenchmarkError(f"{server.name} answers {answer}, and the model says {expected}")


def _versions(contestants: list[Server]) -> dict[str, str]:
    """Versions by package; one that differs between the servers is named for each."""
    found: dict[str, dict[str, list[str]]] = {}
    for server in contestants:
        for package, version in machine.versions(server.python, *server.packages).items():
            found.setdefault(package, {}).setdefault(version, []).append(server.name.split(",")[0])
    return {
        package: next(iter(by))
        if len(by) == 1
        else ", ".join(f"{version} ({', '.join(names)})" for version, names in by.items())
        for package, by in found.items()
    }


def render(raw: dict[str, Any]) -> Part:
    """The tables and verdicts."""
    samples, memory, cold = raw["samples"], raw["memory"], raw["cold"]
    rounds = len(samples["1"][OURS])
    tables = []
    for connections in CONNECTIONS:
        by_name = samples[str(connections)]
        rows = []
        for name, several in by_name.items():
            numbers = {key: median(s[key] for s in several) for key in ("p50", "p99", "rate")}
            rows.append((name, *(f"{value:,.0f}" for value in numbers.values()),
                         f"{_ratio(by_name, name, BARE, 'p50'):.2f}",
                         f"{_ratio(by_name, OURS, name, 'rate'):.2f}"))  # fmt: skip
        head = ("", "p50, us", "p99, us", "requests/s", "p50 to bare", "our rate to theirs")
        tables += [f"{connections} connection{'s' * (connections > 1)}:", table(head, rows)]
    footprint = [
        (name, f"{memory[name][0]:.0f}", str(memory[name][1]), f"{median(cold[name]):.2f}")
        for name in cold
    ]
    text = [
        f"One row a request, keep-alive, {rounds} rounds in turn, medians. Load: "
        f"{raw['generator']}. The servers have one core. At 16 connections the load has another; "
        "at 1 it shares theirs, so that a latency is work and not a core's waking up. Every server "
        "gave the right probabilities before it was loaded, and no request failed.",
        "The generated project runs as one process of a release: validation, metrics and its log, "
        "a JSON line a request, are on (the log goes to /dev/null). The bare app has none of that "
        "and runs in the same virtual environment. MLServer and BentoML have their access logs "
        "off, one worker, uvloop and httptools; MLServer predicts inside the server process "
        "(`parallel_workers` 0), and speaks the V2 protocol only, so the generated project is "
        "measured on that too, with the same body.",
        *tables,
        table(("", "MiB resident", "processes", "cold start to first prediction, s"), footprint),
        "Memory is that of all its processes after the load; files on disk were warm.",
    ]
    one, many = samples["1"], samples["16"]
    close = _ratio(one, OURS, BARE, "p50")
    verdicts = [
        Verdict(
            "`/predict` p50 beside a bare ASGI app", "2x", f"{close:.2f}x", close / 2, close <= 2
        )
    ]
    for peer in (MLSERVER, BENTOML):
        for condition, by in (("16 connections", many), ("1 connection", one)):
            fast = _ratio(by, OURS, peer, "rate")
            what = f"`/predict` requests/s beside {peer.split(',')[0]}, {condition}"
            verdicts.append(Verdict(what, "at least 4x", f"{fast:.2f}x", 4 / fast, fast >= 4))
    return Part("One-row `/predict`", text, verdicts)


def _ratio(by_name: dict[str, list[dict[str, float]]], one: str, other: str, key: str) -> float:
    """The median of one server's number over the other's, round by round."""
    return median(a[key] / b[key] for a, b in zip(by_name[one], by_name[other], strict=True))
