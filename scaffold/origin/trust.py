"""Whether a project may be updated from the template that its answers file names.

A pull request can change that name. So a source counts as allowed if the project has had it from
the start, if the default branch names it, where a change has been through review, or if the person
confirmed it in this clone with --template. What a branch itself says of its source counts for
nothing.
"""

import re
import shlex
from contextlib import suppress
from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.origin.address import canonical_url
from scaffold.origin.identity import is_same, is_url
from scaffold.project import record
from scaffold.project.project import Project

_FILE = "sources"
_MOVES = 20  # of the project's folder, that are followed
_SECONDS = 60.0  # for the repository to say what its default branch has
# Settings of a clone that neither run a program nor write a file.
_HARMLESS = re.compile(
    r"url\..*\.insteadof|http\.(.*\.)?(extraheader|proxy|sslcainfo|sslcapath|sslcert|sslkey)"
)


class Unseen(ScaffoldError):
    """Too little of the history is here to see whether the source was changed."""


def check(project: Project, url: str, work: Path) -> None:
    """Refuse a template source that nobody has allowed for this project.

    Where the clone cannot tell, the repository that it was made from is asked for its default
    branch, with `work` for scratch. Raises Unseen when that cannot be asked, and this clone lacks
    the history too.
    """
    if any(is_same(url, known) for known in (canonical_url(), *_allowed(project))):
        return
    remote = _remote(project)
    reviewed = _tip_here(project, remote) if remote else None
    if _names(project, reviewed, url):
        return
    is_shallow = project.git("rev-parse", "--is-shallow-repository").strip() == "true"
    first = None if is_shallow else _first(project)
    if first is not None and is_same(url, first):
        with suppress(OSError):  # only saves looking through the history the next time
            allow(project, url)
        return
    if remote and reviewed is None:
        reviewed = _tip_there(project, remote, work)
        if _names(project, reviewed, url):
            return
    _refuse(url, is_seen=not is_shallow or reviewed is not None, has_tip=reviewed is not None)


def allow(project: Project, url: str) -> None:
    """Remember that the person named this source."""
    if url in _allowed(project):
        return
    project.state.mkdir(exist_ok=True)
    with (project.state / _FILE).open("a", encoding="utf-8") as file:
        file.write(f"{url}\n")


def _refuse(url: str, *, is_seen: bool, has_tip: bool) -> None:
    command = f"`mlops-scaffold update --template {shlex.quote(url)}`"
    if not is_seen:
        raise Unseen(
            "this clone is shallow, so whether its template was changed cannot be seen",
            f"fetch the rest (`git fetch --unshallow`), or confirm it: {command}",
            Exit.UNSAFE,
        )
    fetched = "; or `git fetch`, if the default branch names it by now" if has_tip else ""
    raise ScaffoldError(
        f"the answers file names another template than the project began with: {url}",
        f"if that is right, confirm it: {command}{fetched}",
        Exit.UNSAFE,
    )


def _allowed(project: Project) -> list[str]:
    try:
        return (project.state / _FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _names(project: Project, text: str | None, url: str) -> bool:
    """Tell whether the text of an answers file names this source."""
    try:
        return text is not None and is_same(url, _parse(project, text))
    except ScaffoldError:
        return False


def _parse(project: Project, text: str) -> str:
    return record.parse(text, project.folder / project.answers_file).url


def _path(project: Project) -> str:
    return f"{project.prefix}{project.answers_file}"


def _remote(project: Project) -> str | None:
    """Return the name of the repository that this clone is one of."""
    keys = (re.fullmatch(r"remote\.(.+)\.url", key) for key in project.settings)
    names = [found[1] for found in keys if found]
    return "origin" if "origin" in names else names[0] if len(names) == 1 else None


def _tip_here(project: Project, remote: str) -> str | None:
    """Return the answers file at the tip of the default branch, as this clone last saw it.

    Only where git itself noted which branch that is: a branch may have any name, HEAD or `master`.
    """
    known = f"refs/remotes/{remote}/"
    try:
        branch = project.git("symbolic-ref", "-q", f"{known}HEAD").strip()
        if not branch.startswith(known):
            return None
        return project.git("show", f"{branch}:{_path(project)}")
    except git.GitError:
        return None


def _tip_there(project: Project, remote: str, work: Path) -> str | None:
    """Return the answers file at the tip of the default branch, as the repository has it now.

    None when it cannot be asked. Of this clone's own settings only those count that can run no
    program: how an address is written, and what http needs.
    """
    address = project.settings[f"remote.{remote}.url"]
    if not is_url(address):
        address = f"file://{(project.top / Path(address).expanduser()).resolve()}"
    passed: list[tuple[str, str]] = []
    for key, value in project.settings.items():
        if _HARMLESS.fullmatch(key):
            # A header is added to others of its name: the empty one takes those away.
            passed += [(key, "")] * key.endswith(".extraheader") + [(key, value)]
    copy = work / "reviewed.git"
    clone = ("clone", "-q", "--bare", "--template=", "--depth=1", "--filter=blob:none")
    bare = ("safe.bareRepository", "all")  # we mean this one
    try:
        env = git.environment(config=[bare, *passed])
        git.git(*clone, "--", address, str(copy), cwd=work, env=env, seconds=_SECONDS)
        wanted = ("show", f"HEAD:{_path(project)}")
        return git.git(*wanted, cwd=copy, env=env, seconds=_SECONDS)
    except ScaffoldError:
        return None


def _first(project: Project) -> str | None:
    """Return the source in the answers file as the main line first had it, wherever it was then.

    Only the first parents count: a merged branch can bring a history of its own.
    """
    path, start = _path(project), "HEAD"
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
            try:
                return _parse(project, project.git("show", f"{commit}:{path}"))
            except ScaffoldError:  # it was damaged from the start
                return None
        path, start = origins[path], parents[0]
    return None
