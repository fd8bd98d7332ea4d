"""Prepare this machine for the tests of CI vendors and containers, and print what they will use."""

import sys
import time

from tests.runners import base, engine, runner


def main() -> int:
    """Make what is missing; 1 and one line of cause where that cannot be done."""
    for name, make in (("engine", engine.ensure), ("base", base.image), ("runner", runner.image)):
        started = time.monotonic()
        try:
            made = make()
        except engine.Unavailable as error:
            print(f"error: {name}: {error}", file=sys.stderr)
            return 1
        print(f"{name:8}{made}  ({time.monotonic() - started:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
