"""`make demo`: a new project, shipped to production on this machine, and one prediction from it.

Prints each command before it runs it, so that a reader can type the same.
"""

import os
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

FOLDER = Path("demo")
PROJECT = FOLDER / "churn-model"
BIN = Path(".venv/bin").absolute()


def main() -> None:
    """Run the demonstration, in a folder that the next one replaces."""
    os.environ["PATH"] = os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath)))
    for name in ("VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # as if typed by a person
        os.environ.pop(name, None)
    if (PROJECT / "Makefile").exists():
        run("make", "down", cwd=PROJECT)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    run("mlops-scaffold", "new", "churn-model", "--defaults", *sys.argv[1:], cwd=FOLDER)
    shipped = run("make", "ship", cwd=PROJECT)
    predict(next(line.strip() for line in shipped if line.strip().startswith("curl ")))
    run("make", "status", cwd=PROJECT)
    print(f"\nIt keeps running. Look around in {PROJECT}, and stop it with: make down")


def run(*argv: str, cwd: Path) -> list[str]:
    """Show a command, run it, pass on what it prints, and return that; end if it fails."""
    print(f"\n$ {shlex.join(argv)}", flush=True)
    command = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.PIPE, text=True)
    assert command.stdout
    lines = []
    for line in command.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    if command.wait():
        sys.exit(command.returncode)
    return lines


def predict(command: str) -> None:
    """Run the curl command that `make ship` printed; without curl, do what it would."""
    if shutil.which("curl"):
        argv = shlex.split(command)
        run(*argv, cwd=PROJECT)
    else:
        print(f"\n$ {command}", flush=True)
        words = shlex.split(command)
        address = next(word for word in words[1:] if "/predict" in word)
        address = address if "://" in address else f"http://{address}"
        body = words[words.index("-d") + 1].encode()
        with urllib.request.urlopen(address, data=body, timeout=10) as answer:
            print(answer.read().decode(), end="")
    print()


if __name__ == "__main__":
    main()
