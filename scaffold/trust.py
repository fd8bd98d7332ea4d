"""Whether a project may be updated from the template that its answers file names.

A pull request can change that name. So a source counts as allowed if the project has had it from
the start, or if the person confirmed it in this clone with --template.
"""

from contextlib import suppress

from scaffold import git, record
from scaffold.errors import Exit, ScaffoldError
from scaffold.project import Project
from scaffold.source import canonical_url

_FILE = "sources"


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
        f"if that is right, confirm it: `mlops-scaffold update --template {url}`",
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
    """Return the source in the oldest committed answers file, wherever it was then."""
    path = f"{project.prefix}{project.answers_file}"
    log = ("log", "--follow", "--diff-filter=A", "--format=%H", "--name-only", "-z")
    try:
        fields = project.git(*log, "--", path).replace("\n", "\0").split("\0")
        said = [field for field in fields if field]
        text = project.git("show", f"{said[-2]}:{said[-1]}")
        return record.parse(text, project.folder / project.answers_file).url
    except (git.GitError, IndexError, ScaffoldError):
        return None
