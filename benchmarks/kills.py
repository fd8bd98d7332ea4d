"""What is left of a project when its update is killed at any instant: ours, and `copier update`.

Both update the same project. Ours is killed and judged by the driver of the tests, three times in
four while it writes its journal or acts on it; copier at instants spread evenly over its run. A
state is old or new when the work tree (of ours: the index too) is exactly as before or after an
unharmed run. Any other is a mixture, unless the next command completes it.
"""

from __future__ import annotations

import random
import time
from dataclasses import asdict, replace
from typing import Any

from benchmarks import machine, templates
from benchmarks.programs import environment, timed
from benchmarks.report import Part, Verdict, table
from benchmarks.workshop import Workshop
from tests.kills import Tally, Trial, kill, kill_at_random, look, start, trial
from tests.support import IDENTITY, run

OURS, COPIER = "mlops-scaffold update", "copier update"
SIZE = 45  # files
SEED = 20
SHOWN = 3  # complaints to keep


def measure(shop: Workshop) -> dict[str, Any]:
    """Kill both, and count."""
    times = 8 if shop.quick else 120
    folder = shop.folder / "kills"
    (folder / "tmp").mkdir(parents=True)
    env = {
        "MLOPS_SCAFFOLD_CACHE": str(folder / "cache"),
        "COPIER_CACHE_DIR": str(folder / "mirrors"),
        "TMPDIR": str(folder / "tmp"),  # the killed leave scratch files
        **IDENTITY,
    }
    prepared, copier = folder / "churn-model", str(shop.bin / "copier")
    source = templates.copier_template(folder / "template", SIZE)
    timed([copier, "copy", "-qlr", templates.OLD, str(source), str(prepared)], folder, env)
    templates.edit(prepared, SIZE, clashing=True)
    update = ("update", "{}", "--defaults")
    nexts = (("status", "{}"), ("undo", "{}"), ("diff", "{}"), update)
    tried = trial(prepared, update, env, nexts)
    mine = replace(tried, program=(str(shop.bin / "mlops-scaffold"),))
    ours = kill_at_random(mine, times, SEED)
    theirs = _kill_copier(replace(tried, program=(copier,)), times)
    return {
        "tallies": {OURS: _kept(ours), COPIER: _kept(theirs)},
        "versions": machine.versions(shop.bin / "python", "mlops-scaffold", "copier"),
    }


def _kept(tally: Tally) -> dict[str, Any]:
    return asdict(tally) | {"wrong": tally.wrong[:SHOWN], "complaints": len(tally.wrong)}


def _kill_copier(tried: Trial, times: int) -> Tally:
    """Kill copier at instants spread evenly over its run; run it again where that left neither."""
    argv, env = [*tried.program, *tried.argv], environment(tried.env)
    _refresh(tried)
    old = look(tried.repository).files
    whole = timed(argv, tried.prepared.parent, env).seconds
    new = look(tried.repository).files
    tally, chance = Tally(COPIER), random.Random(SEED)
    for number in range(times):
        _refresh(tried)
        process = start(tried)
        time.sleep(chance.uniform(0, whole))
        kill(process, group=bool(number % 2))
        found = look(tried.repository).files
        tally.kills += 1
        tally.old += found == old
        tally.new += found == new
        if found not in (old, new):
            done = run(*argv, env=env)
            completed = look(tried.repository).files == new
            tally.completed += completed
            tally.mixtures += not completed
            said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
            tally.wrong.append(f"exit code {done.returncode}, {said[-1]}")
    return tally


def _refresh(tried: Trial) -> None:
    tried.refresh()
    templates.refresh(tried.repository)


def render(raw: dict[str, Any]) -> Part:
    """The table, and the verdict."""
    rows, tallies = [], raw["tallies"]
    for name, tally in tallies.items():
        figures = ("kills", "old", "new", "completed", "mixtures")
        rows.append((f"`{name}`", *(str(tally[figure]) for figure in figures)))
    text = [
        f"SIGKILL at random instants of an update of {SIZE} files: the one above with a conflict. "
        "Ours is killed at any instant of its run once in four times, and else while it writes its "
        "journal or acts on it, copier at instants spread evenly over its run; by turns only "
        "the program, and all that it has started. *Old* and *new*: the work tree (of ours: the "
        "index too) is exactly as before, or as after an unharmed run. Where it is neither, the "
        "next command is run: for ours `status`, `undo`, `diff` or `update` in turn, for copier "
        "`copier update`. *Mixture*: it is still neither after that.",
        table(("", "kills", "old", "new", "completed by the next command", "mixtures"), rows),
    ]
    theirs, ours = tallies[COPIER], tallies[OURS]
    if theirs["wrong"]:
        text.append(f"copier, run again on the first mixture: {theirs['wrong'][0]}")
    wrong = ours["mixtures"] + ours["complaints"]
    holds = not wrong and ours["kills"] >= 100
    return Part("Killed while updating", text, [
        Verdict("mixtures left by kills of `update`", "0 of at least 100",
                f"{wrong} of {ours['kills']}", None, holds),
    ])  # fmt: skip
