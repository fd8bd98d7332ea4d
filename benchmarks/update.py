"""How long `mlops-scaffold update` takes beside `copier update` and `cruft update`.

Three kinds of update (clean, one conflict, nothing to do) of templates of three sizes. Each round
runs every contestant once on a fresh copy of the project; a ratio is the median of the rounds' own.
"cold" is the first update on a machine: the tool's cache is empty. Git processes are counted in a
run of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine, templates
from benchmarks.gitcount import Counter
from benchmarks.new import ratio
from benchmarks.programs import BenchmarkError, timed
from benchmarks.report import Part, Verdict, table
from benchmarks.workshop import Workshop, quoted, shell

SIZES = (10, 45, 200)
CLEAN, CONFLICT, CURRENT = "clean", "conflict", "current"
KINDS = {
    CLEAN: "Clean: the template and the person changed other lines",
    CONFLICT: "Conflict: both changed one line of one file",
    CURRENT: "Nothing to do: the project has the newest version",
}
OURS, OURS_COLD = "mlops-scaffold", "mlops-scaffold, cold"
COPIER, COPIER_COLD, CRUFT = "copier", "copier, cold", "cruft"
BUDGETS = {CLEAN: 0.6, CURRENT: 0.25}


@dataclass(frozen=True)
class Contestant:
    """A tool: what is typed in a project, where its cache is told, and its exit code at a conflict.

    `cold` says that it finds an empty cache each time.
    """

    name: str
    typed: str
    cache: str = ""  # the variable
    conflict: int = 0
    cold: bool = False
    cookies: bool = False  # its projects come from cookiecutter


def contestants(shop: Workshop) -> list[Contestant]:
    """All that are measured; cruft keeps no cache."""
    ours = quoted(shop.bin / "mlops-scaffold", "update", "--defaults")
    copier = quoted(shop.bin / "copier", "update", "--defaults")
    cruft = quoted(shop.folder / "cruft/bin/cruft", "update", "-y")
    return [
        Contestant(OURS, ours, "MLOPS_SCAFFOLD_CACHE", conflict=3),
        Contestant(COPIER, copier, "COPIER_CACHE_DIR"),
        Contestant(OURS_COLD, ours, "MLOPS_SCAFFOLD_CACHE", conflict=3, cold=True),
        Contestant(COPIER_COLD, copier, "COPIER_CACHE_DIR", cold=True),
        Contestant(CRUFT, cruft, cookies=True),
    ]


def measure(shop: Workshop) -> dict[str, Any]:
    """Seconds and git processes of every update, by size, kind and contestant."""
    rounds = 1 if shop.quick else 9
    python = shop.install(shop.folder / "cruft", "cruft")
    seconds: dict[str, Any] = {}
    started: dict[str, Any] = {}
    for size in SIZES[:1] if shop.quick else SIZES:
        place = _Place(shop, size)
        seconds[str(size)], started[str(size)] = {}, {}
        for kind in KINDS:
            seconds[str(size)][kind] = _contest(place, kind, rounds)
            started[str(size)][kind] = _count(place, kind)
    return {
        "seconds": seconds,
        "git": started,
        "versions": machine.versions(shop.bin / "python", "mlops-scaffold", "copier")
        | machine.versions(python, "cruft", "cookiecutter"),
    }


class _Place:
    """The projects of one size, made when first wanted, and fresh copies of them to update."""

    def __init__(self, shop: Workshop, size: int) -> None:
        self.size, self.shop = size, shop
        self.folder = shop.folder / f"updates-{size}"
        self.copier = templates.copier_template(self.folder / "copier", size)
        self.cookies = templates.cookiecutter_template(self.folder / "cookiecutter", size)

    def project(self, kind: str, *, cookies: bool) -> Path:
        """The project as the person has it before the update."""
        project = self.folder / f"{kind}-{'cookies' if cookies else 'copier'}" / "churn-model"
        if project.exists():
            return project
        project.parent.mkdir()
        version = templates.NEW if kind == CURRENT else templates.OLD
        if cookies:
            cruft = [str(self.shop.folder / "cruft/bin/cruft"), "create", str(self.cookies)]
            timed([*cruft, "-y", "-c", version], project.parent, self.home())
        else:
            copier = [str(self.shop.bin / "copier"), "copy", "-q", "--defaults", "-r", version]
            timed([*copier, str(self.copier), str(project)], project.parent, self.home())
        templates.edit(project, self.size, clashing=kind == CONFLICT)
        return project

    def home(self) -> dict[str, str]:
        """What the tools keep stays in the scratch folder."""
        return {"HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache")}

    def update(self, kind: str, who: Contestant, env: Mapping[str, str] | None = None) -> float:
        """Let a contestant update a fresh copy, see that it did, and return the seconds."""
        here, cache = self.folder / "contest", self.folder / "cache" / who.cache
        shutil.rmtree(here, ignore_errors=True)
        if who.cold:
            cache = self.folder / "cold"
            shutil.rmtree(cache, ignore_errors=True)
        shutil.copytree(self.project(kind, cookies=who.cookies), here / "churn-model")
        templates.refresh(here / "churn-model")
        more = {who.cache: str(cache)} if who.cache else {}
        code = who.conflict if kind == CONFLICT else 0
        command = shell(f"{who.typed}; test $? -eq {code}")
        took = timed(command, here / "churn-model", self.home() | more | dict(env or {}))
        _check(here / "churn-model", kind, f"{who.name}: {took.out}{took.err}")
        return took.seconds


def _check(project: Path, kind: str, said: str) -> None:
    """See that an update did what its kind says."""
    text = (project / templates.FIRST).read_text("utf-8")
    status = timed(["git", "status", "--porcelain"], project).out
    debris = (project / f"{templates.FIRST}.rej").exists() or "<<<<<<<" in text
    merged = templates.THEIRS in text and templates.MINE in text
    wrong = {
        CLEAN: not merged or debris,
        CONFLICT: not debris,
        CURRENT: bool(status) or not merged,
    }
    if wrong[kind]:
        raise BenchmarkError(f"not what a {kind} update leaves:\n{status}{said[-1500:]}")


def _contest(place: _Place, kind: str, rounds: int) -> dict[str, list[float]]:
    """Run every contestant once a round; the first round only warms up."""
    everyone = contestants(place.shop)
    seconds: dict[str, list[float]] = {who.name: [] for who in everyone}
    for number in range(rounds + 1):
        for who in everyone:
            took = place.update(kind, who)
            if number:
                seconds[who.name].append(took)
    return seconds


def _count(place: _Place, kind: str) -> dict[str, int]:
    """Count the git processes of every contestant, by one update each."""
    counter = Counter.create(place.shop.folder / "counting")
    found = {}
    for who in contestants(place.shop):
        place.update(kind, who, counter.env)
        found[who.name] = counter.taken()
    return found


def render(raw: dict[str, Any]) -> Part:
    """A table for each kind, one of git processes, and the verdicts."""
    names = list(raw["git"]["10"][CLEAN])
    rounds = len(raw["seconds"]["10"][CLEAN][OURS])
    text = [
        f"Seconds, {rounds} rounds, every contestant once a round; medians, and a ratio is the "
        "median of the rounds' own. Each updates a fresh copy of a project, by the same template "
        "files (in a Git repository on this disk) and with the same edits of the person: "
        "one file in five changed by the template, half of those by the person too, one file "
        "added, one gone. *Cold* is the first update on a machine: the tool's cache is empty; else "
        "it has updated such a project before. cruft keeps no cache. At a conflict "
        "`mlops-scaffold` exits with 3, copier and cruft with 0; cruft leaves a `.rej` file or "
        "markers.",
    ]
    for kind, title in KINDS.items():
        rows = [_row(size, kinds[kind], names) for size, kinds in raw["seconds"].items()]
        head = ("files", *names, "ratio to copier", "both cold")
        text += [f"{title}.", table(head, rows)]
    rows = [
        (f"{kind}, {size} files", *(str(kinds[kind][name]) for name in names))
        for kind in KINDS
        for size, kinds in raw["git"].items()
    ]
    text += ["Git processes that each starts (counted in a run of its own):"]
    text += [table(("", *names), rows)]
    return Part("`update`", text, _verdicts(raw["seconds"]))


def _row(size: str, taken: dict[str, list[float]], names: list[str]) -> tuple[str, ...]:
    warm, cold = ratio(taken[OURS], taken[COPIER]), ratio(taken[OURS_COLD], taken[COPIER_COLD])
    return (size, *(f"{median(taken[n]):.2f}" for n in names), f"{warm:.2f}", f"{cold:.2f}")


def _verdicts(seconds: dict[str, Any]) -> list[Verdict]:
    """The worst size counts."""
    found = []
    for kind, budget in BUDGETS.items():
        for which, mine, theirs in (("", OURS, COPIER), (", both cold", OURS_COLD, COPIER_COLD)):
            shares = [ratio(kinds[kind][mine], kinds[kind][theirs]) for kinds in seconds.values()]
            said = " / ".join(f"{share:.2f}x" for share in shares)
            what = f"`update`, {kind}, beside `copier update`{which}; {_and(list(seconds))} files"
            worst = max(shares)
            found.append(Verdict(what, f"{budget}x", said, worst / budget, worst <= budget))
    return found


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
