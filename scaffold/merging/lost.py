"""Recorded answers that a new version does not ask for any more: which of them would be missed.

A question that is hidden takes its default, and what was made from the answer goes without a word.
Nobody misses an answer that was not used, nor one that the person's own new answers hide.
"""

import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.ground.store import Store
from scaffold.merging.plan import AnswerChange
from scaffold.origin.answers import Answers, Questions
from scaffold.origin.rendered import Rendered

_LIST = 5  # files that are named

Render = Callable[[Answers], Rendered]  # the new version, for answers that are given now


@dataclass(frozen=True)
class Lost:
    """Answers that would give way to others that nobody gave, and the files that this changes."""

    changes: tuple[AnswerChange, ...]
    files: tuple[str, ...]


def find(
    changes: tuple[AnswerChange, ...],
    given: Answers,
    rendered: Rendered,
    render: Render,
    store: Store,
) -> Lost | None:
    """Return what would be lost, or None.

    Args:
        changes: what happens to each answer.
        given: by the person, now.
        rendered: the new version.
        render: renders it for other answers.
        store: holds its trees.

    """
    hidden = [change for change in changes if change.is_lost and change.question not in given]
    if hidden and given:
        with suppress(ScaffoldError):  # it needs what was given, so it cannot tell
            without = render({})
            hidden = [c for c in hidden if c.question in without.rendering.hidden]
    if not hidden:
        return None
    try:
        kept = render({**given, **{change.question: change.old for change in hidden}})
    except ScaffoldError:  # it would not even take them
        return Lost(tuple(hidden), ())
    said = store.run("diff-tree", "-r", "-z", "--name-only", rendered.tree, kept.tree)
    names = [name for name in said.split("\0") if name]
    return Lost(tuple(hidden), tuple(names)) if names else None


def refuse(lost: Lost, version: str, questions: Questions) -> None:
    """Refuse to lose answers, and say how to keep or to let them go."""
    said = "; ".join(f"{c.question}: {c.old!r} would become {c.new!r}" for c in lost.changes)
    if lost.files:
        more = f" and {len(lost.files) - _LIST} more" if len(lost.files) > _LIST else ""
        said += f", which changes {', '.join(lost.files[:_LIST])}{more}"
    keep = [
        f"--data {shlex.quote(f'{c.question}={c.old}')}"
        for c in lost.changes
        if isinstance(c.old, (str, int, float))
        and questions.asked.get(c.question, {}).get("when") is not False
    ]
    raise ScaffoldError(
        f"{version} does not ask for recorded answers any more: {said}",
        "`--accept` lets them go (`--dry-run --accept` shows how)"
        + (f"; `{' '.join(keep)}` keeps what they made" if keep else ""),
        Exit.USAGE,
    )
