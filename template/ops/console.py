"""What a person sees: a line a step with its time and verdict, and tables.

Everything the pipeline prints goes through here.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

GREEN, RED, DIM = "\033[32m", "\033[31m", "\033[2m"


def say(text: str = "") -> None:
    """Print a line."""
    print(text, flush=True)


def complain(cause: str, remedy: str) -> None:
    """Print what went wrong and what to do, on standard error."""
    print(f"{_colour(RED, 'error:', sys.stderr)} {cause}", file=sys.stderr)
    if remedy:
        print(f"{_colour(DIM, '  try:', sys.stderr)} {remedy}", file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head, in columns as wide as they need."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for number, row in enumerate([head, *rows]):
        text = "  ".join(map(str.ljust, row, widths)).rstrip()
        say(_colour(DIM, text, sys.stdout) if number == 0 else text)


def duration(seconds: float | None) -> str:
    """A time as people say it, in its largest unit."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


class Steps:
    """The steps of a verb: each printed when it ends, all kept for a table."""

    def __init__(self, title: str) -> None:
        self.title, self.done = title, list[tuple[str, str, str, str]]()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a step; the block calls the given function with what it saw."""
        started, seen = time.monotonic(), [""]
        try:
            yield lambda text: seen.__setitem__(0, text)
        except BaseException as error:
            cause = getattr(error, "cause", None) or type(error).__name__
            self._end(name, "failed", started, str(cause))
            raise
        self._end(name, "ok", started, seen[0])

    def note(self, text: str) -> None:
        """Print a remark between steps."""
        say(f"  {self.title:<11}{text}")

    def _end(self, name: str, verdict: str, started: float, text: str) -> None:
        seconds = time.monotonic() - started
        self.done.append((name, verdict, f"{seconds:.1f}", text))
        word = _colour(GREEN if verdict == "ok" else RED, f"{verdict:<7}", sys.stdout)
        say(f"  {self.title:<11}{name:<12}{word}{seconds:>6.2f} s  {text}")


def _colour(code: str, text: str, stream: object) -> str:
    on = getattr(stream, "isatty", lambda: False)() and "NO_COLOR" not in os.environ
    return f"{code}{text}\033[0m" if on else text
