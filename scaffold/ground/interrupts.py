"""Ctrl-C at a moment of our choosing, for what must not end half-way."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SOON = 0.01  # seconds


def spare_imports() -> None:
    """Let Ctrl-C wait for the end of an import; a second one does not wait.

    Interrupted in an import, Python may keep the lock of all imports, and swallow the interrupt:
    our other thread, which imports copier, then waits for ever, and whoever needs copier as well.
    """
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:  # else somebody decided
        signal.signal(signal.SIGALRM, _pressed)
        signal.signal(signal.SIGINT, _pressed)


def _pressed(_: int, frame: FrameType | None) -> None:
    again = signal.setitimer(signal.ITIMER_REAL, 0)[0] > 0
    if again or not _imports(frame):
        raise KeyboardInterrupt
    signal.setitimer(signal.ITIMER_REAL, _SOON)


def _imports(frame: FrameType | None) -> bool:
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            return True
        frame = frame.f_back
    return False


@contextmanager
def ignored() -> Iterator[None]:
    """Leave Ctrl-C to the program that has the terminal; it gets the default back."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C wait for the end, or for a call of what this yields, which then raises it."""
    pressed: list[int] = []

    def obey() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield obey
    finally:
        signal.signal(signal.SIGINT, before)
        obey()  # also when something failed: Git may have been interrupted with us
