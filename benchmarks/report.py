"""Turns the raw numbers in results/ into RESULTS.md: the budgets first, then each part's tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
REPORT = HERE / "RESULTS.md"


@dataclass(frozen=True)
class Verdict:
    """One budget: what it is, what was measured, the share of it that is used, and if it holds.

    `used` is 1.0 when the budget is used up exactly; None where a share makes no sense.
    """

    what: str
    budget: str
    measured: str
    used: float | None
    holds: bool


@dataclass(frozen=True)
class Part:
    """One part of the report: paragraphs and tables in Markdown, and its budgets."""

    title: str
    text: list[str]
    verdicts: list[Verdict]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def save(name: str, raw: dict[str, Any]) -> None:
    """Keep the raw numbers of a part."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(raw, indent=1) + "\n", "utf-8")


def saved(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The raw numbers of every part that was ever measured here."""
    paths = {name: RESULTS / f"{name}.json" for name in names}
    return {
        name: json.loads(path.read_text("utf-8")) for name, path in paths.items() if path.exists()
    }


def markdown(
    raws: dict[str, dict[str, Any]], renderers: dict[str, Callable[[dict[str, Any]], Part]]
) -> str:
    """The whole report."""
    parts = {name: renderers[name](raw) for name, raw in raws.items()}
    rows = [
        (v.what, v.budget, v.measured, "" if v.used is None else f"{v.used:.2f}",
         "holds" if v.holds else "**missed**")
        for part in parts.values()
        for v in part.verdicts
    ]  # fmt: skip
    blocks = [
        "# Benchmark results",
        "Written by `python -m benchmarks` (`make bench`), with everything that is compared "
        "measured in the same run. Do not edit; the raw numbers are in `results/`.",
        "## The budgets",
        "`used` is the measured value as a share of the budget: 1.00 uses it up.",
        table(("what", "budget", "measured", "used", "verdict"), rows),
    ]
    for name, part in parts.items():
        blocks += [f"## {part.title}", *part.text, _provenance(raws[name])]
    blocks += ["## The machine", *_machines(raws)]
    return "\n\n".join(blocks) + "\n"


def _provenance(raw: dict[str, Any]) -> str:
    known = ", ".join(f"{name} {version}" for name, version in sorted(raw["versions"].items()))
    return f"Measured on {raw['date']}, load average before the start {raw['load']:.2f}. {known}."


def _machines(raws: dict[str, dict[str, Any]]) -> list[str]:
    """The machine, once when all parts ran on the same."""
    seen: dict[str, list[str]] = {}
    for name, raw in raws.items():
        lines = "\n".join(f"- {key}: {value}" for key, value in raw["machine"].items())
        seen.setdefault(lines, []).append(name)
    if len(seen) == 1:
        return list(seen)
    return [f"{', '.join(names)}:\n\n{lines}" for lines, names in seen.items()]
