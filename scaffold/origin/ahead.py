"""Imports copier in another thread, while this one waits for git.

Two threads in the middle of the same package may wait for each other; Python then hands one of them
a module that is not whole. So nothing of copier's, nor of what it brings along, is imported here
before the other thread is done.
"""

import importlib
from contextlib import suppress
from threading import Thread


def _load() -> None:
    with suppress(Exception):  # whoever needs it imports it again, and reports the error
        importlib.import_module("copier")


_ahead = Thread(target=_load, daemon=True)


def preload() -> None:
    """Begin to import copier, if nobody has."""
    if _ahead.ident is None:
        _ahead.start()


def await_import() -> None:
    """Wait until the other thread, if there is one, has imported copier."""
    if _ahead.ident is not None:
        _ahead.join()
