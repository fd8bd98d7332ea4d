"""`mlops-scaffold diff`: how a project differs from what its template would give."""

import json
from contextlib import suppress
from pathlib import Path

from scaffold.ground import console, git
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.scratch import scratch
from scaffold.merging import edited
from scaffold.merging.drift import Difference, differences, patch
from scaffold.merging.plan import AnswerChange
from scaffold.merging.proceed import merge_store
from scaffold.origin import trust
from scaffold.origin.address import open_recorded
from scaffold.origin.rendered import cache_store, render_old
from scaffold.origin.source import HEAD
from scaffold.origin.standing import recorded
from scaffold.placing.journal import find, settle


def diff(
    path: Path,
    to: str | None,
    as_json: bool,
    trusted: bool = False,
    answers_file: str | None = None,
) -> int:
    """Print the differences from the recorded version, or another, with the recorded answers.

    `trusted` lets the template's Jinja extensions run; `answers_file` is the path of the answers
    file in the project, where it is not the usual one.
    """
    git.require()
    project = find(path, answers_file)
    settle(project)
    record = project.recorded()
    with scratch() as work:
        trust.check(project, record.url, work)
        source = open_recorded(record.url, work, project.folder, head=to == HEAD, trusted=trusted)
        template = source.at(to) if to else recorded(source, record.version, project.shown)
        renderings = cache_store(work, project.form)
        name, file = project.name, project.answers_file
        tree = render_old(template, project, record.answers, renderings, work)
        store = merge_store(project, renderings, work)
        rendered = store.list(tree)
        if to is not None:
            rendered.pop(file, None)  # it names the version, so it always differs
        found = differences(project, rendered, store)
        by_hand: tuple[AnswerChange, ...] = ()
        with suppress(ScaffoldError):  # with `--to` its own version need not be there
            own = source.at(record.version)
            by_hand = edited.look(project, own, record, renderings, work)
        if as_json:
            data = _data(project.shown, template.version, found, by_hand)
            console.say(json.dumps(data, indent=2, default=str))
            return 0
        console.show_diff(patch(project, rendered, found, store))
    for change in by_hand:
        console.note(edited.told(change, project))
    _close(name, template.version, found)
    return 0


def _data(
    path: str, version: str, found: list[Difference], by_hand: tuple[AnswerChange, ...]
) -> dict[str, object]:
    files = [{"path": difference.path, "state": difference.state} for difference in found]
    return {
        "schema": 1,
        "command": "diff",
        "path": path,
        "version": version,
        "files": files,
        "edited": edited.as_data(by_hand),
    }


def _close(name: str, version: str, found: list[Difference]) -> None:
    missing = sum(difference.state == "missing" for difference in found)
    if not found:
        console.detail(f"{name} has every file of {version} as rendered")
    else:
        console.detail(
            f"{name} differs from {version} in {len(found)} file{'s'[: len(found) != 1]}"
            + (f", {missing} of them missing" if missing else "")
            + "; - is the template's line, + yours"
        )
