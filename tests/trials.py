"""Repositories for commands to be killed in: a template of two versions, and people at work."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.kills import Trial, trial
from tests.support import ANSWERS_FILE, IDENTITY, commit, sh, write
from tests.warm import cli

QUESTIONS = "_preserve_symlinks: true\nsize:\n  type: int\n  default: 3\n"


def text(number: object, *more: str) -> str:
    """Return a file of a template; the numbers keep Git from taking one for another."""
    return "".join(f"line {line} of {number}\n" for line in range(12)) + "".join(more)


def versions(size: int, folder: str = "src") -> tuple[dict[str, str], dict[str, str | None]]:
    """Return the files of a template, and what its next version changes; None deletes one.

    Args:
        size: how many files there are of each kind, and how many times four that only change.
        folder: where most of them are.

    """
    one: dict[str, str] = {"copier.yml": QUESTIONS, **ANSWERS_FILE}
    two: dict[str, str | None] = {}
    for number in range(size):
        for kind in ("a", "b", "c", "d") if size > 1 else ("a",):
            one[f"{folder}/{kind}{number}.txt"] = text(f"{kind}{number}")
            two[f"{folder}/{kind}{number}.txt"] = text(f"{kind}{number}", "theirs: more\n")
        one[f"{folder}/gone/g{number}.txt"] = text(f"gone {number}")
        two[f"{folder}/gone/g{number}.txt"] = None
        one[f"{folder}/moved/r{number}.txt"] = text(f"moved {number}")
        two[f"{folder}/moved/r{number}.txt"] = None
        two[f"{folder}/where/r{number}.txt"] = text(f"moved {number}")
        one[f"{folder}/run{number}.sh"] = text(f"run {number}")
        one[f"{folder}/clash{number}.txt"] = text(f"clash {number}")
        two[f"{folder}/clash{number}.txt"] = text(f"clash {number}").replace("line 5", "theirs: 5")
        two[f"{folder}/new/n{number}.txt"] = text(f"new {number}")
    one |= {"swap": text("swap"), "turn/inner.txt": text("turn"), "shed": text("shed")}
    one |= {"edited.txt": text("edited"), "left.txt": text("left"), "kept.txt": text("kept")}
    two |= {"swap": None, "swap/inner.txt": text("inside"), "turn/inner.txt": None}
    two |= {"turn": text("turned"), "edited.txt": None, "shed": None}
    two |= {"left.txt": text("left", "theirs\n"), "kept.txt": text("kept", "theirs\n")}
    return one, two


def make_template(folder: Path, size: int, inside: str = "src") -> Path:
    """Make the template, v1.0.0 and v2.0.0, with modes and links that change too."""
    one, two = versions(size, inside)
    write(folder, one)
    (folder / "link").symlink_to("kept.txt")
    commit(folder, tag="v1.0.0")
    for name in [name for name, content in two.items() if content is None]:
        (folder / name).unlink()
    (folder / "turn").rmdir()
    write(folder, {name: content for name, content in two.items() if content is not None})
    for number in range(size):
        (folder / inside / f"run{number}.sh").chmod(0o755)
    (folder / "link").unlink()
    (folder / "link").symlink_to("left.txt")
    commit(folder, tag="v2.0.0")
    return folder


def make_project(folder: Path, source: str | Path, env: Mapping[str, str]) -> Path:
    """Make a project of v1.0.0 in which somebody has worked, and is at work."""
    options = ("--template", source, "--ref", "v1.0.0", "--defaults", "--no-setup")
    done = cli("new", folder, *options, env=IDENTITY | dict(env))
    assert done.returncode == 0, done.stderr
    for path in sorted(folder.rglob("clash*.txt")):
        path.write_text(path.read_text().replace("line 5", "mine: 5"))
    (folder / "edited.txt").write_text(text("edited", "mine: more\n"))
    (folder / "left.txt").unlink()
    (folder / "kept.txt").rename(folder / "mine.txt")
    commit(folder, {"own/o1.txt": "mine: own 1\n", "own/o2.txt": "mine: own 2\n"})
    write(folder, {"own/o1.txt": "mine: not staged\n", "own/new.txt": "mine: staged\n"})
    sh("git", "add", "own/new.txt", cwd=folder)
    write(folder, {"own/new.txt": "mine: staged, then changed\n", "notes.txt": "mine: notes\n"})
    (folder / "empty").mkdir()
    sh("git", "repack", "-adq", cwd=folder)
    return folder


def _environment(folder: Path) -> dict[str, str]:
    """Return what commands are told; a killed one leaves its scratch files in a folder of ours."""
    (folder / "tmp").mkdir()
    places = {"MLOPS_SCAFFOLD_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp")}
    return IDENTITY | places


def update_trial(folder: Path, size: int, inside: str = "src") -> Trial:
    """Return a project to be updated; with size 6 it has some 60 files."""
    env = _environment(folder)
    source = make_template(folder / "template", size, inside)
    prepared = make_project(folder / "churn-model", source, env)
    update = ("update", "{}", "--defaults")
    return trial(prepared, update, env, (("status", "{}"), ("undo", "{}"), ("diff", "{}"), update))


def undo_trial(updated: Trial) -> Trial:
    """Return the updated project, whose update is to be taken back."""
    prepared = updated.prepared.parent / "updated" / updated.prepared.name
    prepared.parent.mkdir()
    updated.refresh()
    assert cli(*updated.argv, env=updated.env).returncode in (0, 3)
    sh("cp", "-a", updated.repository, prepared)
    made = trial(prepared, ("undo", "{}"), updated.env, (("status", "{}"), ("diff", "{}")))
    assert made.new == updated.old
    return made


def adopt_trial(folder: Path, size: int, inside: str = "src") -> Trial:
    """Return a repository of the same files, of which some were changed, to be adopted."""
    env = _environment(folder)
    source = make_template(folder / "template", size, inside)
    prepared = make_project(folder / "churn-model", source, env)
    (prepared / ".copier-answers.yml").unlink()
    shutil.rmtree(prepared / "own")
    commit(prepared)
    adopt = ("adopt", "{}", "--template", str(source), "--defaults")
    return trial(prepared, adopt, env, (adopt, ("undo", "{}")))
