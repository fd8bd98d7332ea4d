"""Ctrl-C at a moment of our choosing, for what must not end half-way."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
