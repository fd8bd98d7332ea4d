"""Kills a command at any instant and judges what is left: the driver of the kill tests.

A trial is a repository and a command that changes it. Whenever the command is killed, the work tree
and the index must be exactly as before or exactly as after, if need be by the doing of the next
command, which must say so; `undo` must then bring the state before back. Benchmarks use it too.
"""

import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support import clean_environment, cli, sh
from tests.warm import KILL, REACHED, Paused, Trap, warm

SECONDS = 60  # none of the commands takes as long
LEFT = ("making", "pending")  # what the next command must clear away in our part of the git folder


@dataclass(frozen=True)
class State:
    """All that a person can see: files, links and folders by path, what is staged, and the
    message that waits for the commit."""

    files: Mapping[str, tuple[int, str]]
    index: str

    def differences(self, other: "State") -> list[str]:
        """Name some paths in which two states differ."""
        paths = {path for path, _ in set(self.files.items()) ^ set(other.files.items())}
        entries = set(self.index.split("\0")) ^ set(other.index.split("\0"))
        return [f"...{name[-60:]}" for name in sorted(paths)[:5] + sorted(entries)[:5]]


def look(repository: Path) -> State:
    """Return the state of a repository, without touching it."""
    files: dict[str, tuple[int, str]] = {}
    for folder, folders, names in os.walk(repository):
        folders[:] = [name for name in folders if name != ".git"]
        for name in (*folders, *names):
            path = Path(folder, name)
            if path == repository / ".git":
                continue
            shown, mode = str(path.relative_to(repository)), path.lstat().st_mode
            if path.is_symlink():
                files[shown] = (0, str(path.readlink()))
            elif path.is_dir():
                files[shown] = (0, "folder")
            else:
                files[shown] = (mode, hashlib.sha256(path.read_bytes()).hexdigest())
    message = repository / ".git" / "MERGE_MSG"
    if message.is_file():
        files[".git/MERGE_MSG"] = (0, message.read_text())
    return State(files, sh("git", "ls-files", "-s", "-z", cwd=repository))


@dataclass(frozen=True)
class Trial:
    """A command that is killed again and again, each time on a fresh copy of a repository.

    `prepared` is the repository before, `repository` where its copy lies while the command runs,
    `argv` the words after `mlops-scaffold`, `nexts` the commands of which one comes after a kill.
    """

    prepared: Path
    repository: Path
    argv: Sequence[str]
    env: Mapping[str, str]
    nexts: Sequence[Sequence[str]]
    old: State
    new: State
    program: Sequence[str] = (sys.executable, "-m", "scaffold")

    @property
    def ours(self) -> Path:
        """Our part of the git folder."""
        return self.repository / ".git" / "mlops-scaffold"

    def refresh(self) -> None:
        """Make the repository as it was before the command."""
        shutil.rmtree(self.repository, ignore_errors=True)
        sh("cp", "-a", self.prepared, self.repository)


def trial(
    prepared: Path, argv: Sequence[str], env: Mapping[str, str], nexts: Sequence[Sequence[str]]
) -> Trial:
    """Run the command once to its end, to know what comes of it; `{}` in it is the repository."""
    repository = prepared.parent / "trial" / prepared.name
    repository.parent.mkdir(exist_ok=True)
    words, *afterwards = ([w.format(repository) for w in words] for words in (argv, *nexts))
    old = look(prepared)
    made = Trial(prepared, repository, words, env, afterwards, old, new=old)
    made.refresh()
    done = cli(*words, env=env)
    assert done.returncode in (0, 3), done.stderr
    made = replace(made, new=look(repository))
    assert made.old != made.new
    return made


@dataclass
class Tally:
    """How often which state was found right after a kill, and whatever was wrong in the end."""

    name: str
    kills: int = 0
    old: int = 0
    new: int = 0
    completed: int = 0  # half-way, and completed by the next command
    mixtures: int = 0  # half-way, and still so after the next command
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return the line that tests and benchmarks print."""
        return (
            f"{self.name}: {self.kills} kills: {self.old} old, {self.new} new, {self.completed} "
            f"completed by the next command, {self.mixtures} mixtures"
        )

    def __add__(self, other: "Tally") -> "Tally":
        """Add two tallies up."""
        return Tally(
            self.name,
            self.kills + other.kills,
            self.old + other.old,
            self.new + other.new,
            self.completed + other.completed,
            self.mixtures + other.mixtures,
            self.wrong + other.wrong,
        )

    def judge(self, tried: Trial, what: str, follow: Sequence[str]) -> None:
        """Look at what a kill has left, run the next command, and undo."""
        self.kills += 1
        found, decided = look(tried.repository), (tried.ours / "pending").is_dir()
        known = {"old": tried.old, "new": tried.new}
        at_once = next((name for name, state in known.items() if state == found), None)
        self.old += at_once == "old" and not decided
        self.new += at_once == "new" and not decided
        half_way = at_once is None or decided

        def complain(text: str) -> None:
            self.wrong.append(f"{what}, then {follow[0]}: {text}")

        if half_way and not decided:
            complain(f"a mixture without a journal: {found.differences(tried.old)}")
        code, said = warm(follow, tried.env)
        after = look(tried.repository)
        if after not in known.values():
            self.mixtures += 1
            complain(f"exit {code}, a mixture: {after.differences(tried.new)}: {said}")
            return
        self.completed += half_way
        if "Traceback" in said or "internal error" in said or code not in (0, 1, 3, 5):
            complain(f"exit {code}: {said}")
        if decided and "was interrupted" not in said:
            complain(f"it did not say that it completed something: {said}")
        if rest := [name for name in LEFT if (tried.ours / name).exists()]:
            complain(f"it left {rest}")
        if after == tried.new and tried.argv[0] != "undo":
            code, said = warm(("undo", str(tried.repository)), tried.env)
            undone = look(tried.repository)
            if code or undone != tried.old:
                complain(f"undo: exit {code}, {undone.differences(tried.old)}: {said}")
            if rest := [name for name in LEFT if (tried.ours / name).exists()]:
                complain(f"undo left {rest}")


def stopped_at_random(tried: Trial, times: int, seed: int, by: int) -> Iterator[tuple[str, int]]:
    """Stop the command at random instants by a signal; yield what was tried, and the exit code.

    A quarter of them are anywhere, a quarter while it writes its journal, half while it acts on it;
    by turns the signal goes to the program only, and to all that it has started too.
    """
    chance = random.Random(seed)
    whole, *spans = measure(tried)
    for number in range(times):
        tried.refresh()
        process = start(tried)
        if number % 4:
            phase = number % 4 > 1
            wait_for((tried.ours / LEFT[phase]).exists, process)
            time.sleep(chance.uniform(0, spans[phase]))
        else:
            time.sleep(chance.uniform(0, whole))
        yield f"stop {number} of seed {seed}", kill(process, group=bool(number % 2), by=by)


def kill_at_random(tried: Trial, times: int, seed: int, by: int = signal.SIGKILL) -> Tally:
    """Kill the command at random instants, and let one of the next commands come after each."""
    tally = Tally("at random")
    for number, (what, _) in enumerate(stopped_at_random(tried, times, seed, by)):
        tally.judge(tried, what, tried.nexts[number // 4 % len(tried.nexts)])
    return tally


def kill_copies_at_random(tried: Trial, times: int, seed: int) -> Tally:
    """Kill it as above, while it writes its journal or acts on it; without the way up to there."""
    tally, chance = Tally("at random"), random.Random(seed)
    _, *spans = measure(tried)
    with pause(tried, KILL) as (paused, later):
        for number in range(times):
            later.refresh()
            seconds = chance.uniform(0, sum(spans))
            paused.stop(seconds, group=bool(number % 2))
            follow = tried.nexts[number // 2 % len(tried.nexts)]
            tally.judge(tried, f"copy {number} of seed {seed}", follow)
    return tally


def kill_at_every_step(tried: Trial, share: tuple[int, int] = (0, 1)) -> Tally:
    """Kill the command before each single thing that it does to the repository, by `steps`."""
    tally = Tally("at every step")
    for step, _, _ in steps(tried, KILL, share):
        follow = tried.nexts[step // share[1] % len(tried.nexts)]
        tally.judge(tried, f"step {step}", follow)
    return tally


def steps(
    tried: Trial, what: str, share: tuple[int, int] = (0, 1)
) -> Iterator[tuple[int, int, str]]:
    """Do something to the command before each step; yield the number, the exit code, the output.

    A step is a file opened to be written, renamed, removed, linked, or given another mode, a folder
    made or removed, a git that writes, and each piece of what it is told. `share` (0, 2) is every
    other step, beginning with the first.
    """
    trap = Trap(what, str(tried.repository), 0)
    with pause(tried, what) as (paused, later):
        for step in itertools.count(share[0], share[1]):
            if step < paused.steps:
                tried.refresh()
                code, said = warm(tried.argv, tried.env, replace(trap, step=step))
            else:
                later.refresh()
                code, said = paused.go(step)
            if REACHED not in said and code != -signal.SIGKILL:
                assert code in (0, 3), said
                return
            yield step, code, said.replace(REACHED, "")


@contextmanager
def pause(tried: Trial, what: str) -> Iterator[tuple[Paused, Trial]]:
    """Let the command come to its journal; also yield the trial as it is then."""
    tried.refresh()
    paused = Paused(tried.argv, tried.env, Trap(what, str(tried.repository), -1))
    later = replace(tried, prepared=tried.repository.with_name("later"))
    sh("cp", "-a", tried.repository, later.prepared)
    try:
        yield paused, later
    finally:
        paused.end()


def start(tried: Trial) -> subprocess.Popen[bytes]:
    """Start the command, in a session of its own."""
    argv, env = [*tried.program, *tried.argv], clean_environment() | dict(tried.env)
    none = subprocess.DEVNULL
    return subprocess.Popen(
        argv, env=env, stdin=none, stdout=none, stderr=none, start_new_session=True
    )


def measure(tried: Trial) -> tuple[float, float, float]:
    """Return how long the command takes, how long it writes its journal, and acts on it."""
    tried.refresh()
    making, pending = (tried.ours / name for name in LEFT)
    started = time.monotonic()
    process = start(tried)
    wait_for(making.exists, process)
    begun = time.monotonic()
    wait_for(pending.exists, process)
    decided = time.monotonic()
    wait_for(lambda: not pending.exists(), process)
    done = time.monotonic()
    assert process.wait(SECONDS) in (0, 3)
    return time.monotonic() - started, decided - begun, done - decided


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not happened() and process.poll() is None:
        time.sleep(0.0002)


def kill(process: subprocess.Popen[bytes], *, group: bool, by: int = signal.SIGKILL) -> int:
    """Kill a program that leads a session of its own, and wait until nothing of it runs."""
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, by)
    code = process.wait(SECONDS)
    deadline = time.monotonic() + SECONDS
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.001)
    return code
