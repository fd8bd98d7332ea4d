"""Ctrl-C during an import waits for its end: Python could keep the lock of imports for good."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, write

MAIN = """
import signal, sys, time
from scaffold.ground.interrupts import spare_imports

spare_imports()
try:
    import slow
    time.sleep(1)
    print("not interrupted")
except KeyboardInterrupt:
    print("imported" if getattr(sys.modules.get("slow"), "done", False) else "cut short")
"""
ONCE = "import signal\nsignal.raise_signal(signal.SIGINT)\n"
SLOW = "import time\ntime.sleep(0.3)\ndone = True\n"


@pytest.mark.parametrize(
    ("slow", "said"),
    [(ONCE + SLOW, "imported\n"), (ONCE * 2 + SLOW, "cut short\n")],
    ids=["once", "twice"],
)
def test_one_waits_for_the_end_of_an_import_and_a_second_does_not(
    slow: str, said: str, tmp_path: Path
) -> None:
    write(tmp_path, {"main.py": MAIN, "slow.py": slow})
    assert ended(tmp_path) == said


def test_elsewhere_it_comes_at_once(tmp_path: Path) -> None:
    here = MAIN.replace("import slow", "signal.raise_signal(signal.SIGINT)")
    write(tmp_path, {"main.py": here})
    assert ended(tmp_path) == "cut short\n"


def test_what_ignores_it_goes_on_ignoring_it(tmp_path: Path) -> None:
    ignoring = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + MAIN
    write(tmp_path, {"main.py": ignoring, "slow.py": ONCE})
    assert ended(tmp_path) == "not interrupted\n"


def ended(folder: Path) -> str:
    """What the script printed; it ends by itself, with nothing to complain about."""
    done = subprocess.run(
        [sys.executable, folder / "main.py"],
        env={"PYTHONPATH": f"{ROOT}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
