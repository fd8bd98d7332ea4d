"""Draw docs/demo.svg: what a terminal really shows from `new` to production and back.

Run it after a change of what the commands print: `make picture`. Nothing in it is typed by hand.
"""

import io
import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path("docs/demo.svg")
WIDTH = 112
FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)  # rich names a font on the web


def main() -> None:
    """Make a project, ship it, ask it, ship again and roll back; draw what is printed."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # as if typed by a person
        os.environ.pop(name, None)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        show(console, here, "mlops-scaffold new churn-model --defaults")
        project = here / "churn-model"
        try:
            shipped = show(console, project, "make ship", after="STEP ")
            curl = next(line.strip() for line in shipped if line.strip().startswith("curl"))
            show(console, project, curl)
            quiet(project, "git commit --allow-empty --quiet --message 'A better model'")
            quiet(project, "make ship")
            show(console, project, "make rollback ENV=production WHY='it smells'")
            show(console, project, "make status")
        finally:
            quiet(project, "make down")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(FONT.sub("", console.export_svg(title="a laptop")), "utf-8")
    print(f"drew {PICTURE}")


def show(console: Console, folder: Path, command: str, after: str = "") -> list[str]:
    """Run a command and put it and what it prints, from a line that begins so, on the picture."""
    lines = quiet(folder, command)
    start = next((i for i, line in enumerate(lines) if line.startswith(after)), 0)
    console.print(Text(f"$ {command}", style="bold green"), soft_wrap=False)
    for line in lines[start:]:
        console.print(Text.from_ansi(line.replace(f"{folder}/", "")), soft_wrap=False)
    console.print()
    return lines


def quiet(folder: Path, command: str) -> list[str]:
    """Run a command that must succeed; what it printed, both streams."""
    done = subprocess.run(
        shlex.split(command),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


if __name__ == "__main__":
    main()
