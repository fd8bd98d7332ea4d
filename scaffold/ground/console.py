"""The only place that prints. Results go to stdout; progress, notes and errors go to stderr."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from scaffold.ground import interrupts

RED, GREEN, DIM, BOLD = "31", "32", "2", "1"


def _paint(text: str, style: str, stream: TextIO) -> str:
    """Colour the text where colour is wanted: on a terminal, unless NO_COLOR is set."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{style}m{text}\033[0m"


def is_terminal() -> bool:
    """Tell whether a person can be asked; a stream that is closed is none of Python's streams."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def say(text: str = "") -> None:
    """Print a result."""
    print(text, flush=True)  # noqa: T201


def show_diff(text: str) -> None:
    """Print a unified diff as a result, in colours where they are wanted."""
    if not sys.stdout.isatty():  # as it is, so that it can be applied
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
        return
    for line in _painted(text):
        say(line)


def page_diff(text: str) -> None:
    """Show a unified diff to a person, in their pager if it is longer than the screen."""
    lines = _painted(text)
    names = (os.environ.get("GIT_PAGER"), os.environ.get("PAGER"), "less")
    pager = next(name for name in names if name is not None)
    if len(lines) >= shutil.get_terminal_size().lines and os.environ.get("TERM") != "dumb":
        shown = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        with suppress(OSError, ValueError), interrupts.ignored():  # without a pager it is printed
            argv = shlex.split(pager)
            if argv and argv[0] != "cat":
                environment = {"LESS": "FRX", "LV": "-c", **os.environ}
                subprocess.run(argv, input=shown, env=environment, check=False)
                return
    for line in lines:
        say(line)


def _painted(text: str) -> list[str]:
    """Return the lines of a unified diff, in colours where they are wanted."""
    colours = {"+": GREEN, "-": RED, "@": DIM}
    lines = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        style = BOLD if line.startswith(("diff ", "+++", "---")) else colours.get(line[:1])
        shown = plain(line)
        lines.append(_paint(shown, style, sys.stdout) if style else shown)
    return lines


def plain(text: str) -> str:
    """Return a line without what would steer a terminal, or make two lines of it."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def detail(text: str) -> None:
    """Print something that explains, beside the results."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def note(text: str) -> None:
    """Print something the person should know and need not act on."""
    detail(_paint(f"note: {text}", DIM, sys.stderr))


def title(text: str) -> None:
    """Print the headline of what is about to happen."""
    detail(_paint(text, BOLD, sys.stderr))


def error(cause: str, remedy: str) -> None:
    """Print why it did not work, and what to do about it."""
    detail(f"{_paint('error:', RED, sys.stderr)} {plain(cause)}")
    detail(f"   try: {plain(remedy)}")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show a step by name while it runs, and how many seconds it took when it is done."""
    live = sys.stderr.isatty()
    if live:
        sys.stderr.write(f"  {name:<18} ...")
        sys.stderr.flush()
    started = time.monotonic()
    verdict = _paint("failed", RED, sys.stderr)
    try:
        yield
        verdict = _paint(f"{time.monotonic() - started:5.1f} s", GREEN, sys.stderr)
    finally:
        detail(f"{chr(13) if live else ''}  {name:<18} {verdict}")
