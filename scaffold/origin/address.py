"""From what a person typed, or an answers file records, to the template behind it.

The bundle in the wheel, this checkout, a Git URL, or a repository or bundle on this machine.
"""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from scaffold.ground import git, installed
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.origin import bundle
from scaffold.origin.identity import SHORT, expand_short, is_same, is_url
from scaffold.origin.source import CONFIGS, HEAD, Source, Template

PACKAGE = Path(__file__).resolve().parent.parent
# A user name that is as long, or begins so, is rather a token.
_TOKEN = re.compile(
    r"(gh[a-z]_|github_pat_|gl[a-z]+-|ATBB|ATCTT|x-token|x-access-token|oauth2|.{24})"
)


@cache
def canonical_url() -> str:
    """Return the URL of this project's template, which the package metadata holds."""
    for entry in re.findall(
        r"(?m)^Project-URL: Template, (.+)$", installed.metadata("mlops-scaffold")
    ):
        return str(entry)
    raise ScaffoldError(
        "mlops-scaffold is not installed here, only lying about",
        "install it, e.g. `pip install -e .` in its checkout",
    )


def open_source(
    template: str | None, work: Path, *, head: bool = False, trusted: bool = False
) -> Source:
    """Find a template.

    Args:
        template: URL or path; None, or the canonical URL in any spelling, is the one that came
            with this installation.
        work: a scratch folder that lives as long as the template is used.
        head: this project's own work tree is wanted as well, if this is its checkout.
        trusted: the person lets the template's Jinja extensions run.

    """
    return replace(_find(template, work, head=head), trusted=trusted)


def _find(template: str | None, work: Path, *, head: bool) -> Source:
    if template is None or is_same(template, canonical_url()):
        return _own(work, head=head)
    if not is_url(template):
        return _from_path(template, work)
    url, address = _expand(template)
    _refuse_secret(address)
    return Source(url, address, work)


def open_recorded(
    url: str, work: Path, project: Path, *, head: bool = False, trusted: bool = False
) -> Source:
    """Find the template that a project's answers file names, and keep calling it by that name.

    A path that is no whole one counts from where one stands, as in copier; elsewhere it leads
    nowhere, to something else, or to the project itself.
    """
    try:
        source = open_source(url, work, head=head, trusted=trusted)
    except ScaffoldError as error:
        if is_url(url) or Path(url).is_absolute():
            raise
        raise _astray(url, error.cause) from error
    if source.folder == project and not any((project / name).is_file() for name in CONFIGS):
        raise _astray(url, f"{project} is the project itself, and no template")
    return replace(source, url=url)


def _astray(url: str, cause: str) -> ScaffoldError:
    return ScaffoldError(
        f"the answers file names the template by a path that is right only where it was written "
        f"({url}): {cause}",
        "say where the template is: `mlops-scaffold update --template URL`",
    )


def open_named(
    template: str, recorded: str, work: Path, *, head: bool = False, trusted: bool = False
) -> Source:
    """Find the template that the person names for a project of a recorded one.

    Another spelling of the same is no move: it keeps the name that is recorded, unless that holds a
    password.
    """
    source = open_source(template, work, head=head, trusted=trusted)
    is_kept = is_same(template, recorded) and not _holds_secret(recorded)
    return replace(source, url=recorded) if is_kept else source


def open_template(
    template: str | None, ref: str | None, work: Path, *, trusted: bool = False
) -> Template:
    """Find the template and the version asked for; the newest release when none is."""
    return open_source(template, work, head=ref == HEAD, trusted=trusted).at(ref)


def _own(work: Path, *, head: bool) -> Source:
    checkout, shipped, repository = PACKAGE.parent, PACKAGE / bundle.NAME, work / "template.git"
    if (checkout / "copier.yml").is_file() and (checkout / ".git").exists():
        _from_checkout(checkout, repository, head=head)
    elif not shipped.is_file():
        raise ScaffoldError(
            "this installation carries no template",
            "install mlops-scaffold from its package, or give --template URL",
        )
    return Source(canonical_url(), str(shipped), work, ours=True, shipped=True)


def _from_checkout(checkout: Path, repository: Path, *, head: bool) -> None:
    """Make the template's repository from the source tree this CLI runs from."""
    if not head:
        bundle.build_history(checkout, repository)
        return
    try:
        bundle.build_history(checkout, repository)
    except ScaffoldError:  # no commit yet, or a shallow clone: the work tree needs no history
        bundle.create(checkout, repository)
    bundle.add_work_tree(checkout, repository)


def _from_path(template: str, work: Path) -> Source:
    """Use a repository on this machine in place, as copier does; a bundle is unpacked."""
    path = Path(template).expanduser()
    if not path.exists():
        raise ScaffoldError(
            f"the template {template} cannot be reached: there is no folder {path}",
            _elsewhere(template),
        )
    path = path.resolve()
    if path.is_file():
        if not git.succeeds("bundle", "list-heads", str(path)):
            raise ScaffoldError(
                f"{path} is no template: it is a file, and no Git bundle",
                "give the folder or the URL of a Git repository",
            )
        return Source(str(path), str(path), work)
    bare = path.is_dir() and (path / "HEAD").is_file() and (path / "objects").is_dir()
    if not bare and not (path / ".git").exists():
        raise ScaffoldError(
            f"{path} is no template: it is not a Git repository, so it has no versions",
            "run `git init`, commit and tag it, or give the repository's root",
        )
    return Source(str(path), str(path), work, folder=path)


def _elsewhere(template: str) -> str:
    """Say what may be meant by a path that leads nowhere."""
    host = template.partition("/")[0]
    if "@" in host:
        return "check the path; if it is an address of ssh, a colon follows its host: git@HOST:PATH"
    if re.fullmatch(r"[\w.-]+/[\w.-]+", template, re.ASCII) and "." not in host:
        return f"check the path; if it is a repository on GitHub, write gh:{template}"
    if re.match(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}/", template, re.ASCII):
        return f"check the path; if it is a URL, write https://{template}"
    return "check the path; if the template moved, give --template URL"


def _expand(template: str) -> tuple[str, str]:
    """Return what copier is given, and the address git uses for it.

    copier knows a Git address by its prefix or its `.git`; `git+` tells it about any other.
    """
    if template.startswith(tuple(SHORT)):
        return template, expand_short(template).removesuffix(".git") + ".git"
    address = template.removeprefix("git+")
    known = address.startswith(("git@", "git://")) or address.endswith(".git")
    if re.match(r"https://(github|gitlab)\.com/", address) and not known:
        return template, f"{address.rstrip('/')}.git" if address == template else address
    return (template if known else f"git+{address}"), address


def _refuse_secret(address: str) -> None:
    if _holds_secret(address):
        raise ScaffoldError(
            "the template's URL holds a password, or what looks like a token, which the project "
            "would record",
            "leave it out (in a project: `mlops-scaffold update --template URL`) and let git ask "
            "your credential helper (`git help credentials`)",
            Exit.UNSAFE,
        )


def _holds_secret(address: str) -> bool:
    """Tell whether somebody could use what stands before the host; a user's name alone is none."""
    found = re.match(r"([a-z+]+)://([^/]*)@[^/@]*/?([^/]*)", address)
    if not found or found[2] == found[3]:  # an organisation on Azure DevOps, however long
        return False
    return ":" in found[2] or ("http" in found[1] and bool(_TOKEN.match(found[2])))
