"""The words in which a plan and its outcome are told to a person."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping

from scaffold.ground import console
from scaffold.merging.plan import AnswerChange, FileChange, FileKind, Plan
from scaffold.origin.identity import expand_short
from scaffold.origin.unrun import COPY, Step, Unrun

_WORDS: dict[FileKind, str] = {
    "added": "added",
    "changed": "changed",
    "merged": "merged",
    "renamed": "renamed",
    "deleted": "deleted",
    "conflict": "conflict",
    "kept-deleted": "kept deleted",
    "left-to-add": "left to you",
}
_LIST = 40  # files of one kind that are listed by name
_NAMED = 5  # files with declined changes
LONGEST = 60  # lines of a message, or of a command
_STAGES = {
    "before": "before the update: type these and commit, then let it be applied",
    "after": "afterwards",
}


def show_news(plan: Plan) -> None:
    """Print what is new, and what the template has to say before."""
    if plan.changelog:
        console.title("\nWhat is new\n")
        console.detail(
            "\n".join(f"  {console.plain(line)}".rstrip() for line in plan.changelog.splitlines())
        )
    quote(plan.unrun.before)


def show(plan: Plan) -> None:
    """Print what would happen to answers and files."""
    console.title("\nThe plan\n")
    for answer in plan.answers:
        console.detail(f"  {'answer':<13} {_answer(answer, plan.command)}")
    for kind, word in _WORDS.items():
        changes = [change for change in plan.files if change.change == kind]
        for change in changes[:_LIST]:
            console.detail(f"  {word:<13} {_file(change)}")
        if len(changes) > _LIST:
            console.detail(f"  {word:<13} ... and {len(changes) - _LIST} more")
    if not plan.files:
        console.detail("  no file changes")
    show_unrun(plan.unrun, plan.url, plan.new)
    console.detail("")


def count(plan: Plan) -> str:
    """Return how many files of each kind, in words."""
    counts = Counter(change.change for change in plan.files)
    said = [f"{counts[kind]} {word}" for kind, word in _WORDS.items() if counts[kind]]
    if counts["conflict"] > 1:
        said = [f"{text}s" if text.endswith("conflict") else text for text in said]
    if declined := sum(plan.declined.values()):
        said.append(f"{declined} declined")
    return ", ".join(said) or "no file changed"


def close(plan: Plan, *, locked: bool) -> None:
    """Print what was done and what to type next.

    Args:
        plan: what was done.
        locked: the project has a uv.lock.

    """
    if plan.unrun.after:
        quote(plan.unrun.after)
        console.detail("")
    console.say(f"{plan.name}: {subject(plan)}: {count(plan)}")
    _count_unrun(plan)
    here = "" if plan.path == "." else f" {shlex.quote(plan.path)}"
    git = f"git -C{here}" if here else "git"
    if plan.conflicts:
        console.say("Resolve the conflicts as in any merge. Next:\n")
        steps = [
            (f"{git} status", "the files to resolve; edit them, then `git add` each"),
            (f"{git} commit", "when none is left; its message is ready"),
        ]
    else:
        console.say("Everything is staged, nothing is committed. Next:\n")
        steps = [
            (f"{git} diff --cached", "look at it"),
            (f'{git} commit -m "{message(plan)}"', "keep it"),
        ]
    if any(change.change == "left-to-add" for change in plan.files):
        steps.insert(0, (f"{git} add ...", "the files left to you: your filter converts them"))
    if locked and any(change.path == "pyproject.toml" for change in plan.files):
        lock = f"uv lock --project{here}" if here else "uv lock"
        steps.insert(1, (f"{lock} && {git} add uv.lock", "pyproject.toml changed"))
    steps.append((plan.undo, "or go back to how it was"))
    width = max(len(command) for command, _ in steps)
    for command, why in steps:
        console.say(f"  {command:<{width}}  # {why}")
    if plan.declined:
        console.say(f"\n{_declined(plan.declined)}")


def _declined(changes: Mapping[str, int]) -> str:
    """Say how many changes of the template were not taken, and in which files."""
    number, named = sum(changes.values()), list(changes)[:_NAMED]
    files = [f"{path} ({changes[path]} places)" if changes[path] > 1 else path for path in named]
    if len(changes) > _NAMED:
        files.append(f"{len(changes) - _NAMED} more files")
    what = (
        "1 change of the template was" if number == 1 else f"{number} changes of the template were"
    )
    return console.plain(f"{what} declined: {', '.join(files)}")


def subject(plan: Plan) -> str:
    """Return what the plan is about, in a few words."""
    if plan.command == "adopt":
        return f"put under {plan.new}"
    return f"{plan.old} -> {plan.new}" if plan.old != plan.new else f"{plan.new}, other answers"


def message(plan: Plan) -> str:
    """Return what to say of the change in its commit."""
    if plan.command == "adopt":
        return f"Adopt the template {plan.new}"
    return f"Update the template to {plan.new}" if plan.old != plan.new else "Change answers"


def _file(change: FileChange) -> str:
    origin = f"{change.origin} -> " if change.origin else ""
    note = f"  ({change.note})" if change.note else ""
    return console.plain(f"{origin}{change.path}{note}")


def _answer(change: AnswerChange, command: str) -> str:
    old, new = repr(change.old), repr(change.new)
    return (
        f"{change.question}: "
        + {
            "new": f"{new} (the default)" if command == "adopt" else f"{new} (a new question)",
            "given": f"{old} -> {new}" if change.old is not None else f"{new} (given)",
            "changed": f"{old} -> {new}",
            "refused": f"{old} is refused, would become {new}",
            "hidden": f"{old} is not asked any more with these answers, and is {new} now"
            if change.is_lost
            else f"{old} is not asked any more with these answers",
            "dropped": f"{old} is not asked any more",
            "edited": f"{old} was changed by hand to {new}, which the files do not say",
        }[change.change]
    )


def quote(message: str) -> None:
    """Print a message of the template, as text."""
    if message:
        console.title("\nThe template says\n")
        console.detail("\n".join(_indented(message)))


def show_unrun(unrun: Unrun, url: str, version: str) -> None:
    """Print the commands that copier would have run, so that they can be typed."""
    if not unrun.steps:
        return
    console.title("\nNot run\n")
    console.detail(
        "  The template has commands of its own, and they are never run here. Read them, and"
    )
    console.detail("  type what you want of them, in the project's folder.")
    if any(COPY in step.command + step.folder for step in unrun.steps):
        address = shlex.quote(expand_short(url).removeprefix("git+"))
        get = f'TEMPLATE=$(mktemp -d) && git clone -q {address} "{COPY}"'
        console.detail(
            "\n".join(_indented(f'\n{get} && git -C "{COPY}" checkout -q {shlex.quote(version)}'))
        )
    for stage, when in _STAGES.items():
        steps = [step for step in unrun.steps if step.stage == stage]
        if steps:
            console.detail(f"\n  # {when}")
            console.detail("\n".join(line for step in _typed(steps) for line in _indented(step)))


def _count_unrun(plan: Plan) -> None:
    """Say again what is not run, and that some of it came too late."""
    steps = plan.unrun.steps
    if not steps:
        return
    are = "command of the template is" if len(steps) == 1 else "commands of the template are"
    told = f'{len(steps)} {are} not run: under "Not run" above'
    if any(step.stage == "before" for step in steps):
        told += f"; before you type those that come before the update: `{plan.undo}`"
    console.note(told)


def _typed(steps: list[Step]) -> Iterator[str]:
    """Return what to type; what a migration sees is said where it changes."""
    seen: dict[str, str] = {}
    for step in steps:
        if step.kind == "migration":
            if step.version:
                yield f"# of {step.version}"
            new = {k: v for k, v in step.environment.items() if seen.get(k) != v}
            if new:
                yield "export " + " ".join(f"{k}={shlex.quote(v)}" for k, v in new.items())
            seen |= new
        if step.note:
            yield f"# {step.note}"
        if step.folder != ".":
            folder = f'"{step.folder}"' if COPY in step.folder else shlex.quote(step.folder)
            yield f"(cd {folder}\n{step.command}\n)"
        elif step.command:
            yield step.command


def _indented(text: str) -> list[str]:
    """Return lines in which nothing steers a terminal, not too many of them."""
    lines = [f"  {console.plain(line)}".rstrip() for line in text.splitlines()]
    more = len(lines) - LONGEST
    return lines if more <= 0 else [*lines[:LONGEST], f"  ... {more} more lines"]
