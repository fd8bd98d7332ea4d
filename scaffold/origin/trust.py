"""Whether a project may be updated from the template that its answers file names.

A pull request can change that name. So a source counts as allowed if the project has had it from
the start, or if the person confirmed it in this clone with --template.
"""

import shlex
from contextlib import suppress

from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.origin.address import canonical_url
from scaffold.project import record
from scaffold.project.project import Project

_FILE = "sources"
_MOVES = 20  # of the project's folder, that are followed


def check(project: Project, url: str) -> None:
    """Refuse a template source that nobody has allowed for this project."""
    if url == canonical_url() or url in _allowed(project):
        return
    if url == _first(project):
        with suppress(OSError):  # only saves looking through the history the next time
            allow(project, url)
        return
    raise ScaffoldError(
        f"the answers file names another template than the project began with: {url}",
        f"if that is right, confirm it: `mlops-scaffold update --template {shlex.quote(url)}`",
        Exit.UNSAFE,
    )


def allow(project: Project, url: str) -> None:
    """Remember that the person named this source."""
    if url in _allowed(project):
        return
    project.state.mkdir(exist_ok=True)
    with (project.state / _FILE).open("a", encoding="utf-8") as file:
        file.write(f"{url}\n")


def _allowed(project: Project) -> list[str]:
    try:
        return (project.state / _FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _first(project: Project) -> str | None:
    """Return the source in the answers file as the main line first had it, wherever it was then.

    Only the first parents count: a merged branch can bring a history of its own.
    """
    if project.git("rev-parse", "--is-shallow-repository").strip() == "true":
        raise ScaffoldError(
            "this clone is shallow, so whether its template was changed cannot be seen",
            "fetch the rest (`git fetch --unshallow`), or confirm it: "
            "`mlops-scaffold update --template URL`",
            Exit.UNSAFE,
        )
    path, start = f"{project.prefix}{project.answers_file}", "HEAD"
    log = ("log", "--first-parent", "--diff-merges=first-parent", "--diff-filter=A", "--name-only")
    renamed = ("diff-tree", "-r", "-M", "-z", "--diff-filter=R", "--name-status")
    for _ in range(_MOVES):
        said = project.git("--literal-pathspecs", *log, "--format=> %H %P", start, "--", path)
        commits = [line[2:] for line in said.splitlines() if line.startswith("> ")]
        if not commits:
            return None  # it was never committed
        commit, *parents = commits[-1].split()
        origins: dict[str, str] = {}
        if parents:
            fields = project.git(*renamed, parents[0], commit).split("\0")
            origins = dict(zip(fields[2::3], fields[1::3], strict=False))
        if path not in origins:
            text = project.git("show", f"{commit}:{path}")
            try:
                return record.parse(text, project.folder / project.answers_file).url
            except ScaffoldError:  # it was damaged from the start
                return None
        path, start = origins[path], parents[0]
    return None
