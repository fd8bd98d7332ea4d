"""Entry point of `mlops-scaffold` and of `python -m scaffold`."""

import gc
import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line and end the process with its exit code.

    A command lives for a second: collecting garbage, and taking the interpreter apart at the end,
    would be an eighth of that and serve nobody. Nothing here relies on clean-up at exit.
    """
    gc.disable()
    try:  # a Ctrl-C may come at once
        _prepare()
        from scaffold.cli import app

        app(prog_name="mlops-scaffold")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1  # whoever read our output went away
    os._exit(code)


def _prepare() -> None:
    from pathlib import Path

    from scaffold.ground.interrupts import spare_imports

    spare_imports()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - for good
        else:  # a name that the terminal cannot show must not stop what is half done
            getattr(sys, name).reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
