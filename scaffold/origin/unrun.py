"""What a template would have run, or said, beside making files: for the person to read.

Nothing of it is run. A command is text here, with its variables filled in as copier would; which
commands there are follows copier's rules for tasks and migrations.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from packaging.version import InvalidVersion, Version

from scaffold.ground import console
from scaffold.origin.source import Template

if TYPE_CHECKING:
    from copier._main import Worker

COPY = "$TEMPLATE"  # stands for a copy of the template, which copier would have made for itself
Kind = Literal["task", "migration"]
Stage = Literal["before", "after"]


@dataclass(frozen=True)
class Step:
    """A command that copier would have run, `before` the files are made or `after`.

    `folder` is where, within the project; `environment` what it would have seen; `version` the one
    that a migration belongs to; `note` says what could not be found out of it.
    """

    kind: Kind
    stage: Stage
    command: str
    folder: str = "."
    version: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None


@dataclass(frozen=True)
class Unrun:
    """All that is not run, in copier's order, and the messages before and after."""

    steps: tuple[Step, ...] = ()
    before: str = ""
    after: str = ""


NOTHING = Unrun()


@dataclass(frozen=True)
class _Written:
    """A command as it stands in copier.yml."""

    command: object
    when: object = True
    folder: str = "."
    version: str | None = None


def find(
    worker: "Worker",
    config: Mapping[str, Any],
    template: Template,
    since: Template | None,
    *,
    updating: bool,
    shown: str,
) -> Unrun:
    """Return what copier would have run and said beside rendering with these answers.

    Args:
        worker: copier's own, with all answers.
        config: the template's copier.yml, includes resolved.
        template: the version rendered.
        since: the version that a project is updated from; None for a new one, or an adopted.
        updating: whether there is a project already.
        shown: its folder, as the person calls it.

    """
    tasks = _list(config.get("_tasks"))
    migrations = _list(config.get("_migrations")) if since else []
    steps = [
        *_migrations(worker, migrations, "before", template, since),
        *(_step(worker, "task", "after", _task(entry), {"stage": "task"}) for entry in tasks),
        *_migrations(worker, migrations, "after", template, since),
    ]
    verb = "copy" if not updating else "update" if since else "adopt"
    before, after = (message(worker, config, f"{w}_{verb}", shown) for w in ("before", "after"))
    return Unrun(tuple(step for step in steps if step is not None), before, after)


def message(worker: "Worker", config: Mapping[str, Any], name: str, shown: str) -> str:
    """Return a message of the template; as it is written, where it cannot be rendered.

    Nothing in it steers a terminal. `shown` is the project's folder, as the person calls it.
    """
    text = config.get(f"_message_{name}")
    if not isinstance(text, str):
        return ""
    with suppress(Exception):  # of Jinja, or of what the template calls
        text = str(_fill(worker, text, {}, shown))
    return "\n".join(map(console.plain, text.strip().splitlines()))


def _migrations(
    worker: "Worker", entries: list[object], stage: Stage, new: Template, old: Template | None
) -> Iterator[Step | None]:
    if old is None:
        return
    seen = {
        "stage": stage,
        "version_from": old.version,
        "version_to": new.version,
        "version_pep440_from": old.number,
        "version_pep440_to": new.number,
    }
    for entry in entries:
        for written in _migration(entry, stage):
            if written.version is None:
                yield _step(worker, "migration", stage, written, seen)
                continue
            try:
                current = Version(written.version)
            except InvalidVersion:
                odd = f"{written.version} is no version to compare: see whether it applies"
                yield _step(worker, "migration", stage, written, seen, odd)
                continue
            if Version(new.number) >= current > Version(old.number):
                its = {"version_current": written.version, "version_pep440_current": str(current)}
                yield _step(worker, "migration", stage, written, seen | its)


def _migration(entry: object, stage: Stage) -> list[_Written]:
    """Read an entry of _migrations, in the form of today or of copier before version 9.3."""
    if not isinstance(entry, dict):
        return [_Written(entry, stage == "after")]
    version = str(entry["version"]) if "version" in entry else None
    if "before" in entry or "after" in entry:
        return [_Written(command, version=version) for command in _list(entry.get(stage))]
    when = entry.get("when", stage == "after")
    return [_Written(entry.get("command"), when, str(entry.get("working_directory", ".")), version)]


def _task(entry: object) -> _Written:
    if not isinstance(entry, dict):
        return _Written(entry)
    folder = str(entry.get("working_directory", "."))
    return _Written(entry.get("command"), entry.get("when", True), folder)


def _step(
    worker: "Worker",
    kind: Kind,
    stage: Stage,
    written: _Written,
    known: Mapping[str, str],
    note: str | None = None,
) -> Step | None:
    """Fill in a command; None when its condition does not hold."""
    from copier._main import _operation
    from copier._tools import cast_to_bool
    from copier._types import Phase

    extra = {f"_{name}": value for name, value in known.items()}
    extra["_copier_operation"] = _operation.get()
    seen = {name[1:].upper(): value for name, value in extra.items()}
    notes = [note] if note else []
    if written.command is None:
        notes.append("it has no command")
    folder = written.folder
    with Phase.use(Phase.TASKS if kind == "task" else Phase.MIGRATE):
        try:
            if not cast_to_bool(_fill(worker, written.when, extra)):
                return None
        except Exception:  # of Jinja, or of what the template calls
            notes.append(f"whether it applies is not known: {written.when}")
        try:
            command = _command(worker, written.command, extra)
            folder = str(_fill(worker, written.folder, extra))
        except Exception:  # as above
            command = _command(None, written.command, extra)
            notes.append("its variables could not be filled in")
    told = "; ".join(notes) or None
    return Step(kind, stage, command.strip("\n"), folder, written.version, seen, told)


def _command(worker: "Worker | None", written: object, extra: Mapping[str, object]) -> str:
    """Return a command as one would type it."""
    if isinstance(written, list):
        return " ".join(_word(str(_fill(worker, str(part), extra))) for part in written)
    return "" if written is None else str(_fill(worker, written, extra))


def _word(text: str) -> str:
    if COPY not in text:
        return shlex.quote(text)
    return '"' + re.sub(rf'([\\"`]|\$(?!{COPY[1:]}))', r"\\\1", text) + '"'


def _fill(
    worker: "Worker | None", value: object, extra: Mapping[str, object], shown: str = "."
) -> object:
    """Fill in a value's variables; no path of ours is among them."""
    if worker is None or not isinstance(value, str):
        return value
    known: dict[str, object] = {**worker._render_context(), **extra, "_copier_python": "python"}
    paths = {"src_path": PurePosixPath(COPY), "dst_path": PurePosixPath(shown)}
    known["_copier_conf"] = {**worker._render_context()["_copier_conf"], **paths}
    return worker.jinja_env.from_string(value).render(**known)


def _list(value: object) -> list[object]:
    """Return what should be a list as one."""
    return value if isinstance(value, list) else [] if value is None else [value]
