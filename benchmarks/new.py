"""How long `mlops-scaffold new` takes beside copier and cookiecutter, and `--help` beside copier's.

Each round runs every contestant once, so that a slow moment of the machine hits all of them; a
ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.programs import timed
from benchmarks.report import Part, Verdict, table
from benchmarks.workshop import Workshop, quoted, shell

COMMIT = "git init -q -b main && git add -A && git commit -q --no-verify -m Start"
OURS, COPIER, COOKIECUTTER = (
    "mlops-scaffold new --no-setup",
    "copier copy + git",
    "cookiecutter + git",
)
HELP, COPIER_HELP = "mlops-scaffold --help", "copier --help"
KEDRO = "kedro/templates/project"


def measure(shop: Workshop) -> dict[str, Any]:
    """Seconds of every run, by contestant."""
    rounds = 2 if shop.quick else 15
    kedro = _kedro(shop)
    making = {
        OURS: quoted(shop.bin / "mlops-scaffold", "new", "X", "--defaults", "--no-setup"),
        COPIER: f"{quoted(shop.bin / 'copier', 'copy', '-q', '--defaults', shop.template, 'X')}"
        f" && cd X && {COMMIT}",
        COOKIECUTTER: f"{kedro} && cd x && {COMMIT}",
    }
    asking = {
        HELP: quoted(shop.bin / "mlops-scaffold", "--help"),
        COPIER_HELP: quoted(shop.bin / "copier", "--help"),
        "python -c pass": quoted(shop.bin / "python", "-c", "pass"),
        "import scaffold.cli": quoted(shop.bin / "python", "-c", "import scaffold.cli"),
        "import copier": quoted(shop.bin / "python", "-c", "import copier"),
    }
    seconds, files = _contest(shop, making, rounds)
    more, _ = _contest(shop, asking, 2 * rounds)
    return {
        "seconds": seconds | more,
        "files": files,
        "help_imports_copier": _imports_copier(shop),
        "versions": machine.versions(shop.bin / "python", "mlops-scaffold", "copier")
        | machine.versions(shop.folder / "kedro/bin/python", "cookiecutter", "kedro"),
    }


def _kedro(shop: Workshop) -> str:
    """The cookiecutter command, with the template that the kedro package carries."""
    python = shop.install(shop.folder / "kedro", "cookiecutter", "kedro")
    [template] = (shop.folder / "kedro").glob(f"lib/python*/site-packages/{KEDRO}")
    config = shop.folder / "cookiecutter.yml"
    config.write_text(
        f"cookiecutters_dir: {shop.folder}/cookies\nreplay_dir: {shop.folder}/replay\n"
    )
    given = ("project_name=x", "kedro_version=1.0")
    options = ("--no-input", "--config-file", config)
    return f"{quoted(python.parent / 'cookiecutter', *options, template, *given)} > /dev/null"


def _contest(
    shop: Workshop, commands: dict[str, str], rounds: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Run every command once a round, in an empty folder; the first round only warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    files: dict[str, int] = {}
    env = {"COPIER_CACHE_DIR": str(shop.folder / "copier-cache")}
    for number in range(rounds + 1):
        for name, command in commands.items():
            here = shop.folder / "contest"
            here.mkdir()
            took = timed(shell(command), here, env).seconds
            if number:
                seconds[name].append(took)
            files[name] = _committed(here)
            shutil.rmtree(here)
    return seconds, files


def _committed(folder: Path) -> int:
    made = [path.parent for path in folder.glob("*/.git")]
    return len(timed(["git", "ls-files"], made[0]).out.splitlines()) if made else 0


def _imports_copier(shop: Workshop) -> bool:
    argv = [str(shop.bin / "python"), "-X", "importtime", "-m", "scaffold", "--help"]
    said = timed(argv, shop.folder).err.splitlines()
    return any(line.rpartition("|")[2].strip() == "copier" for line in said)


def ratio(one: list[float], other: list[float]) -> float:
    """The median of the ratios, round by round."""
    return median(a / b for a, b in zip(one, other, strict=True))


def render(raw: dict[str, Any]) -> Part:
    """The tables and verdicts."""
    seconds: dict[str, list[float]] = raw["seconds"]
    making = [
        (name, f"{median(seconds[name]):.2f}", f"{min(seconds[name]):.2f}",
         str(raw["files"][name]), f"{ratio(seconds[name], seconds[COPIER]):.2f}")
        for name in (OURS, COPIER, COOKIECUTTER)
    ]  # fmt: skip
    asking = [
        (f"`{name}`", f"{median(taken) * 1000:.0f}", f"{min(taken) * 1000:.0f}")
        for name, taken in seconds.items()
        if name not in (OURS, COPIER, COOKIECUTTER)
    ]
    text = [
        f"{len(seconds[OURS])} rounds, every contestant once a round; medians, and a ratio is the "
        "median of the rounds' own. The template is this work tree as a released version: from "
        "the installed wheel for `mlops-scaffold`, from a tagged Git repository for copier. All of "
        "them end with one commit.",
        table(("", "seconds", "fastest", "files", "ratio to copier"), making),
        "cookiecutter-data-science could not be had here: its PyPI package carries the `ccds` "
        "command and no template, which it clones from GitHub. In its place stands plain "
        "cookiecutter with the project template inside the kedro package, a smaller project; it "
        "shows cookiecutter's speed and is no like-for-like comparison.",
        table(("", "ms", "fastest"), asking),
        f"`--help` {'imports' if raw['help_imports_copier'] else 'does not import'} copier.",
    ]
    fast = ratio(seconds[OURS], seconds[COPIER])
    help_ = ratio(seconds[HELP], seconds[COPIER_HELP])
    lean = not raw["help_imports_copier"]
    return Part("`new` and `--help`", text, [
        Verdict("`--help` beside `copier --help`", "0.5x, without importing copier",
                f"{help_:.2f}x", help_ / 0.5, help_ <= 0.5 and lean),
        Verdict("`new --no-setup` beside `copier copy` + git", "1.0x",
                f"{fast:.2f}x", fast, fast <= 1.0),
    ])  # fmt: skip
