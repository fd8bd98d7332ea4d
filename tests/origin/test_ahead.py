"""copier is imported in another thread, and this one touches nothing of it meanwhile.

Where both were in the middle of it, one of them could get a module that is not whole.
"""

import sys
from pathlib import Path

import pytest

from tests.support import ROOT, cli, run, write

SLOW = """
import sys
import threading
import time

OURS = ("copier", "plumbum", "pydantic", "questionary")
main, copier = threading.main_thread(), threading.Event()


class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "copier" and threading.current_thread() is not main:
            copier.set()
            time.sleep(1)
            copier.clear()
            print("imported ahead")


def heard(event, details):
    here = event == "import" and threading.current_thread() is main
    if here and copier.is_set() and details[0].partition(".")[0] in OURS:
        print("imported meanwhile:", details[0])


sys.meta_path.insert(0, Slow())
sys.addaudithook(heard)
from scaffold.__main__ import main as begin

begin()
"""


@pytest.mark.parametrize("verb", ["new", "update"])
def test_nothing_of_copier_is_imported_while_the_other_thread_does(
    verb: str, tmp_path: Path
) -> None:
    write(tmp_path, {"slow.py": SLOW})
    project = tmp_path / "churn-model"
    words = ["new", f"{project}", "--defaults", "--no-setup"]
    if verb == "update":
        assert cli(*words).returncode == 0
        words = ["update", f"{project}", "--defaults", "-d", "ci=gitlab"]
    done = run(sys.executable, tmp_path / "slow.py", *words, env={"PYTHONPATH": f"{ROOT}"})
    assert done.returncode == 0, done.stderr
    assert "imported meanwhile" not in done.stdout
    assert "imported ahead" in done.stdout
