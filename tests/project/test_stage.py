"""Whatever ends `new` half-way, the target is absent or whole, and the next `new` cleans up."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scaffold.project import stage
from tests.support import SMALL, clean_environment, cli, leftovers, run, template

SLOW = SMALL | {f"file{number}.txt.jinja": "{{ project_name }}\n" for number in range(60)}


def start(source: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start `new x` with 61 files to render."""
    command = [sys.executable, "-m", "scaffold", "new", "x", "--template", str(source)]
    quiet = subprocess.DEVNULL
    env = clean_environment()
    return subprocess.Popen(command, cwd=folder, env=env, stdin=quiet, stdout=quiet, stderr=quiet)


def is_whole(project: Path) -> bool:
    """All files are there, and all of them are in the first commit."""
    status = run("git", "status", "--porcelain", cwd=project)
    files = run("git", "ls-files", cwd=project).stdout.split()
    rendered = len(SLOW) - 1  # copier.yml is not
    return status.returncode == 0 and not status.stdout and len(files) == rendered


def test_kill_at_any_instant_leaves_no_half_made_target(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SLOW)
    folder = tmp_path / "w"
    folder.mkdir()
    started = time.monotonic()
    assert start(source, folder).wait(60) == 0
    whole = time.monotonic() - started
    shutil.rmtree(folder / "x")
    chance = random.Random(7)
    cut_short = 0
    for _ in range(30):
        process = start(source, folder)
        time.sleep(chance.uniform(0.2, 1.0) * whole)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        cut_short += bool(leftovers(folder))
        if (folder / "x").exists():
            assert is_whole(folder / "x")
            shutil.rmtree(folder / "x")
    assert cut_short, "no kill came while something was being made"
    assert start(source, folder).wait(60) == 0
    assert is_whole(folder / "x")
    assert leftovers(folder) == []


def test_ctrl_c_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SLOW)
    folder = tmp_path / "w"
    folder.mkdir()
    process = start(source, folder)
    while not leftovers(folder):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert list(folder.iterdir()) == []


def test_a_stage_that_somebody_still_works_in_is_left_alone(tmp_path: Path) -> None:
    with stage.stage(tmp_path / "other") as busy:
        (busy.work / "precious").touch()
        source = template(tmp_path / "t")
        assert cli("new", "x", "--template", source, cwd=tmp_path).returncode == 0
        assert (busy.work / "precious").exists()
    assert leftovers(tmp_path) == []


def test_a_link_with_the_name_of_a_stage_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").touch()
    (tmp_path / f"{stage.PREFIX}link").symlink_to(mine)
    with stage.stage(tmp_path / "x"):
        pass
    assert (mine / "precious").exists()


def test_the_second_of_two_at_once_loses_and_spoils_nothing(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SLOW)
    folder = tmp_path / "w"
    folder.mkdir()
    codes = sorted(process.wait(60) for process in [start(source, folder), start(source, folder)])
    assert codes[0] == 0
    assert is_whole(folder / "x")
    assert leftovers(folder) == []


@pytest.mark.parametrize("kilobytes", [64, 96, 128, 160])
def test_a_full_disk_leaves_nothing_half_made(tmp_path: Path, kilobytes: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={kilobytes}k"
    mounted = run("mount", "-t", "tmpfs", "-o", size, "tmpfs", disk)
    if mounted.returncode:
        pytest.skip(f"no right to mount a small disk: {mounted.stderr.strip()}")
    try:
        source = template(tmp_path / "t", SLOW | {"big.txt": "x" * 4000 + "\n"})
        done = cli("new", disk / "x", "--template", source)
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert list(disk.iterdir()) == []
    finally:
        run("umount", disk)
