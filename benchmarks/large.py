"""How long a large table takes to be drawn from, trained on and judged, beside the fit itself.

200,000 rows of 20 features of every kind (`benchmarks/tables/data.py`), and a project's own tests
on it beside those of the table that a new project comes with.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.programs import BenchmarkError, environment, timed
from benchmarks.report import Part, Verdict, table
from benchmarks.workshop import Workshop
from tests.template import makeityours

HERE = Path(__file__).with_name("tables")
STEPS = ("golden", "train", "gate")
SECONDS, MIB, TIMES = 20.0, 1024.0, 2.0
# What the fit takes of `train`, told by the project itself: its seconds, and how far the peak of
# the memory lies above what was reached before it.
FIT = """
import resource, sys, time
from churn_model import train

def fitted(*given, fit=train.fit):
    peak, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    made = fit(*given)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    print("fit", time.perf_counter() - started, more / 1024, file=sys.stderr)
    return made

train.fit = fitted
train.main()
"""


def measure(shop: Workshop) -> dict[str, Any]:
    """Seconds and peak memory of each step, and seconds of `make check`, by table."""
    small, large = shop.new("small"), shop.new("wide")
    source = large.path / "src/churn_model"
    (source / "data.py").write_text((HERE / "data.py").read_text())
    train = source / "train.py"
    train.write_text(makeityours.merged(train.read_text(), (HERE / "train.txt").read_text()))
    rounds = 1 if shop.quick else 5
    steps: dict[str, list[list[float]]] = {step: [] for step in (*STEPS, "fit")}
    checks: dict[str, list[float]] = {"small": [], "wide": []}
    for number in range(rounds):
        for step in STEPS:
            argv = ["-c", FIT] if step == "train" else ["-m", f"churn_model.{step}"]
            seconds, mib, said = _run([large.python, *argv], large.path)
            steps[step].append([seconds, mib])
            if step == "train":
                steps["fit"].append([float(word) for word in said.splitlines()[-1].split()[1:]])
        large.commit("As measured")
        for name, project in (("small", small), ("wide", large)):
            if not number:  # so that what mypy remembers is there
                timed(["make", "check"], project.path)
            checks[name].append(timed(["make", "check"], project.path).seconds)
    packages = ("pandas", "numpy", "scikit-learn", "skl2onnx", "onnxruntime")
    return {
        "steps": steps,
        "checks": checks,
        "versions": machine.versions(Path(large.python), *packages),
    }


def _run(argv: list[str], cwd: Path) -> tuple[float, float, str]:
    """Seconds, MiB at the peak, and what a program said on stderr."""
    started = time.perf_counter()
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(f"{argv[-1]} ended with {process.returncode}: {said[-500:]}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, said


def render(raw: dict[str, Any]) -> Part:
    """A table, and the verdicts."""
    steps, checks = raw["steps"], raw["checks"]
    rows = [
        (f"`{step}`" if step in STEPS else "the fit in it",
         f"{median(s for s, _ in steps[step]):.1f}", f"{median(m for _, m in steps[step]):.0f}")
        for step in ("golden", "train", "fit", "gate")
    ]  # fmt: skip
    whole = zip(*(steps[step] for step in (*STEPS, "fit")), strict=True)
    beside = median(sum(s for s, _ in parts[:-1]) - parts[-1][0] for parts in whole)
    peak = max(mib for step in STEPS for _, mib in steps[step])
    share = median(b / a for a, b in zip(checks["small"], checks["wide"], strict=True))
    text = [
        "200,000 rows of 20 features: numbers, whole numbers, categories, codes, booleans, times "
        f"and a text, most with gaps. {len(steps['fit'])} rounds, medians. The fit is "
        "scikit-learn's own work (a `ColumnTransformer` and a logistic regression); its memory is "
        "what it adds to the peak.",
        table(("", "seconds", "MiB at the peak"), rows),
        f"`make check` takes {median(checks['wide']):.1f} s on it, and "
        f"{median(checks['small']):.1f} s on the 569 rows that a new project comes with.",
    ]
    verdicts = [
        Verdict("`golden`, `train` and `gate` of 200,000 x 20, beside the fit", f"{SECONDS:.0f} s",
                f"{beside:.1f} s", beside / SECONDS, beside <= SECONDS),
        Verdict("memory of each of them, the fit included", f"{MIB:.0f} MiB", f"{peak:.0f} MiB",
                peak / MIB, peak <= MIB),
        Verdict("`make check` of 200,000 x 20, beside a new project's", f"{TIMES:.0f}x",
                f"{share:.2f}x", share / TIMES, share <= TIMES),
    ]  # fmt: skip
    return Part("A large table", text, verdicts)
