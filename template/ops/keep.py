"""Stands in for a process that outlived its supervisor: waits for its end, then becomes it anew.

    keep.py NUMBER PID:BORN,PID:BORN,... COMMAND...

NUMBER says which of the processes; one that is gone is started at once. So a new supervisor takes
over what serves, and no request is lost. Nobody needs to touch this file.
"""

import contextlib
import os
import signal
import sys

import psutil


def main(number: str, processes: str, *command: str) -> None:
    pid, born = map(int, processes.split(",")[int(number)].split(":"))
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if int(process.create_time()) == born:  # else the number is another's by now
            signal.signal(signal.SIGTERM, lambda *_: end(process))
            process.wait()
    os.execv(command[0], command)  # noqa: S606


def end(process: psutil.Process) -> None:
    process.terminate()
    process.wait()
    sys.exit()


if __name__ == "__main__":
    main(*sys.argv[1:])
