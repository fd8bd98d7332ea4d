"""How long `mlops-scaffold status` takes beside `copier check-update` and `copier --help`.

From the installed wheel, of a project of the built-in template and of one of a small template given
by path. "cold" is the first time on a machine: nothing is in the cache, so the rendering to compare
with is made, by copier in another process.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine, templates
from benchmarks.gitcount import Counter
from benchmarks.new import COPIER_HELP, HELP, ratio
from benchmarks.programs import BenchmarkError, timed
from benchmarks.report import Part, Verdict, table
from benchmarks.workshop import Workshop, quoted, shell

BUILT_IN, BY_PATH = "built-in template", "small template by path"
STATUS, CHECK = "mlops-scaffold status", "copier check-update"
COLD = f"{STATUS}, cold"
PASS = "python -c pass"
FILES = 10
BUDGET = 0.5


def measure(shop: Workshop) -> dict[str, Any]:
    """Seconds and git processes of every command, by project."""
    rounds = 2 if shop.quick else 25
    here = shop.folder / "status"
    here.mkdir()
    counter = Counter.create(shop.folder / "counting")
    seconds: dict[str, dict[str, list[float]]] = {}
    started: dict[str, dict[str, int]] = {}
    for name, commands in _commands(shop, here).items():
        seconds[name] = {key: [] for key in commands}
        for number in range(rounds + 1):
            for key, command in commands.items():
                took = _run(here, key, command)
                if number:
                    seconds[name][key].append(took)
        started[name] = {}
        for key in (STATUS, COLD, CHECK):
            _run(here, key, commands[key], counter.env)
            started[name][key] = counter.taken()
    return {
        "seconds": seconds,
        "git": started,
        "versions": machine.versions(shop.bin / "python", "mlops-scaffold", "copier"),
    }


def _commands(shop: Workshop, here: Path) -> dict[str, dict[str, str]]:
    """What is typed, by project: one of each template, made for us and for copier alike."""
    ours, copier = quoted(shop.bin / "mlops-scaffold"), quoted(shop.bin / "copier")
    small = templates.copier_template(here / "small", FILES)
    new, copy = f"{ours} new --defaults --no-setup", f"{copier} copy -q --defaults"
    start = "git init -q && git add -A && git commit -q --no-verify -m Start"
    for command in (
        f"{new} built-in/churn-model",
        f"mkdir copied && {copy} {quoted(shop.template)} copied/churn-model",
        f"{new} --template {quoted(small)} --ref {templates.OLD} by-path/churn-model",
        f"cd copied/churn-model && {start}",
    ):
        timed(shell(command), here, _home(here))
    templates.edit(here / "by-path/churn-model", FILES)
    asked = {HELP: f"{ours} --help", COPIER_HELP: f"{copier} --help"}
    asked[PASS] = quoted(shop.bin / "python", "-c", "pass")
    return {
        name: {
            STATUS: f"{ours} status {mine}; test $? -eq {code}",
            COLD: f"{ours} status {mine}; test $? -eq {code}",
            CHECK: f"{copier} check-update {theirs}",
            **asked,
        }
        for name, mine, theirs, code in (
            (BUILT_IN, "built-in/churn-model", "copied/churn-model", 0),
            (BY_PATH, "by-path/churn-model", "by-path/churn-model", 5),
        )
    }


def _run(here: Path, key: str, command: str, env: dict[str, str] | None = None) -> float:
    """Run a command with its cache, and return the seconds."""
    cache = here / ("cold" if key == COLD else "warm")
    if key == COLD:
        shutil.rmtree(cache, ignore_errors=True)
    more = {"MLOPS_SCAFFOLD_CACHE": str(cache), "COPIER_CACHE_DIR": str(here / "mirrors")}
    done = timed(shell(command), here, _home(here) | more | (env or {}))
    if key in (STATUS, COLD) and ("differ" not in done.out or done.err.startswith("note")):
        raise BenchmarkError(f"`status` compared no files:\n{done.out}{done.err}")
    return done.seconds


def _home(here: Path) -> dict[str, str]:
    return {"HOME": str(here)}


def render(raw: dict[str, Any]) -> Part:
    """A table, and the verdicts."""
    rounds = len(raw["seconds"][BY_PATH][STATUS])
    rows, verdicts = [], []
    for name, seconds in raw["seconds"].items():
        for key, taken in seconds.items():
            number = raw["git"][name].get(key)
            rows.append((
                f"`{key}`, {name}" if key in raw["git"][name] else f"`{key}`",
                f"{median(taken) * 1000:.0f}", f"{min(taken) * 1000:.0f}",
                f"{ratio(taken, seconds[COPIER_HELP]):.2f}",
                f"{ratio(taken, seconds[CHECK]):.2f}", "" if number is None else str(number),
            ))  # fmt: skip
        share = ratio(seconds[STATUS], seconds[COPIER_HELP])
        what = f"`{STATUS}`, {name}, beside `copier --help`"
        verdicts.append(Verdict(what, f"{BUDGET}x", f"{share:.2f}x", share / BUDGET,
                                share <= BUDGET))  # fmt: skip
    text = [
        f"{rounds} rounds in turn for each project, medians in ms, and a ratio is the median of "
        "the rounds' own; everything from one installed wheel. `status` compares every file of the "
        "project with what the template rendered, which `copier check-update` does not. *Cold* is "
        "the first time on a machine: copier makes the rendering to compare with, which is kept; "
        "the budget is for every time after that.",
        table(("", "ms", "fastest", "to `copier --help`", "to `check-update`", "git"), rows),
    ]
    return Part("`status`", text, verdicts)
