"""`python -m benchmarks.scenarios`: where plain `copier update` and ours differ; SCENARIOS.md.

Every row of the table in tests/scenarios is set up twice and updated once by each. Only rows where
the outcome differs are shown; that ours is as the table expects is what the tests are for.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine
from benchmarks.report import table
from tests.scenarios import TABLE
from tests.scenarios.model import Place, Scenario, environment
from tests.scenarios.place import Stock, build, stages, take_stock
from tests.support import ROOT, Done, run

REPORT = Path(__file__).resolve().parent / "SCENARIOS.md"
LOST, DROPPED, SILENT = "lost lines", "dropped changes", "silent conflicts"
TRACEBACK, REJECTS, HALF, RAN = "tracebacks", "reject files", "half done", "code run"
ASTRAY = "astray"
COUNTED = {
    LOST: "updates that lost lines which a person wrote",
    DROPPED: "updates that dropped a change of the template without a word",
    SILENT: "updates that left a conflict and ended with exit code 0",
    REJECTS: "updates that left `.rej` files",
    TRACEBACK: "updates that ended with a traceback or an internal error",
    HALF: "updates that failed and left the project changed",
    ASTRAY: "updates that wrote into `.git` or outside the project",
    RAN: "updates that ran a program of the project, the template or the answers file",
}
_THEIRS = re.compile(r"theirs: [^\r\n]*")
_MARKERS = re.compile(rb"^<<<<<<< ", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What one tool made of one scenario."""

    kind: str  # refused, unchanged, updated, conflict
    text: str
    theirs: frozenset[str]
    faults: frozenset[str] = frozenset()
    details: tuple[str, ...] = field(default=(), compare=False)


def ours(scenario: Scenario, place: Place) -> Done:
    """Run our update as the tests do."""
    words = [word.format(folder=place.folder) for word in scenario.args]
    path = [] if words and words[0].startswith("/") else [str(place.project)]
    return place.cli("update", *path, *words, "--defaults")


def copiers(scenario: Scenario, place: Place) -> Done:
    """Run plain `copier update` with the same wishes, as far as it knows them."""
    argv: list[str] = []
    words = [word.format(folder=place.folder) for word in scenario.args]
    project = str(place.project)
    while words:
        word = words.pop(0)
        if word.startswith("/"):
            wished = Path(word)
            argv += ["-a", wished.name] if wished.is_file() else []
            project = project if wished.is_file() else word
        elif word == "--template":
            words.pop(0)  # it follows whatever the answers file says
        elif word == "--accept":
            continue  # it never asks
        elif word.startswith("--to="):
            argv.append(f"--vcs-ref={word.removeprefix('--to=')}")
        else:
            argv.append({"--to": "--vcs-ref", "--dry-run": "--pretend"}.get(word, word))
    env = environment(place.folder) | {"HOME": str(place.folder.parent)}
    return run("copier", "update", "--defaults", *argv, project, cwd=place.project, env=env)


def observe(scenario: Scenario, folder: Path, tool: Callable[[Scenario, Place], Done]) -> Outcome:
    """Set a scenario up, let a tool update it, and see what is there afterwards."""
    place = build(scenario, folder / "place")
    before, marked = take_stock(place), _with_markers(place)
    place.witness.unlink(missing_ok=True)
    done = tool(scenario, place)
    ran = place.witness.exists()
    after = take_stock(place)
    changed = after.outside_git() != before.outside_git() or after.index != before.index
    conflicts = sorted({*(_with_markers(place) - marked), *stages(place)} if changed else ())
    faults, details = _faults(done, before, after, conflicts, changed)
    if astray := before.forbidden(place).items() ^ after.forbidden(place).items():
        names = sorted({name.removeprefix(f"{place.project.name}/") for name, _ in astray})
        faults.add(ASTRAY)
        details.append(f"**wrote `{names[0]}`**")
    if ran:
        faults.add(RAN)
        details.append("ran a program that was not its own")
    kind = "conflict" if conflicts else "updated" if changed else "unchanged"
    if done.returncode not in (0, 3) and not changed:
        kind = "refused"
    return Outcome(
        kind, _said(kind, done, conflicts, place), _theirs(place), frozenset(faults), tuple(details)
    )


def _faults(
    done: Done, before: Stock, after: Stock, conflicts: list[str], changed: bool
) -> tuple[set[str], list[str]]:
    faults: set[str] = set()
    details: list[str] = []
    if lost := before.lost(after):
        faults.add(LOST)
        plural = "s" if len(lost) > 1 else ""
        details.append(f"**lost {len(lost)} line{plural} of the person's**")
    rejects = [name for name in after.files.keys() - before.files.keys() if name.endswith(".rej")]
    if rejects:
        faults.add(REJECTS)
        details.append(f"left {', '.join(f'`{Path(name).name}`' for name in rejects)}")
    if conflicts and done.returncode == 0:
        faults.add(SILENT)
    if "Traceback (most recent call last)" in done.stderr or "internal error" in done.stderr:
        faults.add(TRACEBACK)
        details.append("traceback" if "Traceback" in done.stderr else "internal error")
    if changed and done.returncode not in (0, 3):
        faults.add(HALF)
        details.append("left the project changed")
    return faults, details


def _said(kind: str, done: Done, conflicts: list[str], place: Place) -> str:
    """Say in a table's cell what a tool did."""
    text = f"exit {done.returncode}, "
    if kind == "conflict":
        return text + f"conflict in {', '.join(f'`{name}`' for name in conflicts)}"
    if kind != "refused":
        return text + kind
    return text + f"refused: {_plain(_reason(done), place)}"


def _reason(done: Done) -> str:
    """Return the line in which a tool says why it did not work."""
    lines = [line.strip(" |") for line in done.stderr.splitlines() if line.strip(" |")]
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception|fatal): ", line)]
    text = (said or raised or lines or ["nothing said"])[-1]
    return text if len(text) <= 160 else f"{text[:160].rsplit(' ', 1)[0]} ..."


def _plain(text: str, place: Place) -> str:
    """Leave out what is only this machine's, and what breaks a table."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("|", "\\|")
    for folder in (place.folder, place.folder.parent, ROOT):
        text = text.replace(f"{folder}/", "")
    return re.sub(r"/tmp/[^\s/]+/", "", text)


def _theirs(place: Place) -> frozenset[str]:
    files = [p for p in place.project.rglob("*") if p.is_file() and ".git" not in p.parts]
    texts = (path.read_bytes().decode("utf-8", "replace") for path in files)
    return frozenset(line for text in texts for line in _THEIRS.findall(text))


def _with_markers(place: Place) -> set[str]:
    return {
        str(path.relative_to(place.project))
        for path in place.project.rglob("*")
        if ".git" not in path.parts and path.is_file() and _MARKERS.search(path.read_bytes())
    }


def compare(scenario: Scenario) -> tuple[Outcome, Outcome]:
    """Let both tools do one scenario."""
    with tempfile.TemporaryDirectory(prefix="mlops-scenario-") as name:
        folder = Path(name)
        made = observe(scenario, folder / "ours", ours)
        other = observe(scenario, folder / "copier", copiers)
    missing = made.theirs - other.theirs
    if missing and other.kind in ("updated", "conflict") and TRACEBACK not in other.faults:
        more = f"the template's change is missing ({len(missing)} of its lines)"
        faults, details = other.faults | {DROPPED}, (*other.details, more)
        other = Outcome(other.kind, other.text, other.theirs, faults, details)
    return made, other


def differs(made: Outcome, other: Outcome) -> bool:
    """Tell whether a person would notice the difference."""
    return bool(made.faults or other.faults or made.kind != other.kind)


def report(outcomes: dict[str, list[tuple[Scenario, Outcome, Outcome]]]) -> str:
    """Return SCENARIOS.md."""
    rows = [row for group in outcomes.values() for row in group]
    mine = Counter(fault for _, made, _ in rows for fault in made.faults)
    theirs = Counter(fault for _, _, other in rows for fault in other.faults)
    different = sum(differs(made, other) for _, made, other in rows)
    known = machine.versions(Path(sys.executable), "copier")
    blocks = [
        "# Updates compared with plain copier",
        "Written by `python -m benchmarks.scenarios`. Do not edit. Every scenario of "
        "`tests/scenarios/` is set up twice and updated once by `copier update --defaults` and "
        "once by `mlops-scaffold update --defaults`; a row is shown where the outcomes differ.",
        f"{len(rows)} scenarios, {different} with a different outcome; "
        f"copier {known['copier']}, git {machine.facts()['git']}, {datetime.now(UTC):%Y-%m-%d}.",
        table(
            ("what went wrong", "copier update", "mlops-scaffold update"),
            [(COUNTED[fault], str(theirs[fault]), str(mine[fault])) for fault in COUNTED],
        ),
    ]
    for title, group in outcomes.items():
        shown = [
            (scenario.name, _cell(other), _cell(made))
            for scenario, made, other in group
            if differs(made, other)
        ]
        head = ("scenario", "copier update", "mlops-scaffold update")
        blocks += [f"## {title}", f"{len(group) - len(shown)} of {len(group)} alike."]
        blocks += [table(head, shown).replace("---:", "---")] if shown else []
    return "\n\n".join(blocks) + "\n"


def _cell(outcome: Outcome) -> str:
    return "; ".join((outcome.text, *outcome.details))


def main() -> int:
    """Run everything and write the report; with words, only the scenarios that have them all."""
    words, outcomes = sys.argv[1:], {}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for title, group in TABLE.items():
            wanted = [s for s in group if all(word in s.name for word in words)]
            pairs = pool.map(compare, wanted)
            outcomes[title] = [(s, *pair) for s, pair in zip(wanted, pairs, strict=True)]
            print(f"{title}: {len(wanted)}", file=sys.stderr, flush=True)
    if words:
        print(report(outcomes))
        return 0
    REPORT.write_text(report(outcomes), "utf-8")
    print(f"wrote {REPORT.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
