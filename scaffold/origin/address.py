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
from scaffold.origin.source import HEAD, Source, Template

PACKAGE = Path(__file__).resolve().parent.parent
_SHORT = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}


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


def open_source(template: str | None, work: Path, *, head: bool = False) -> Source:
    """Find a template.

    Args:
        template: URL or path; None, or the canonical URL, is the one that came with this
            installation.
        work: a scratch folder that lives as long as the template is used.
        head: this project's own work tree is wanted as well, if this is its checkout.

    """
    if template is None:
        return _own(work, head=head)
    path = Path(template).expanduser()
    if path.exists():
        return _from_path(path.resolve(), work)
    if template.startswith(("/", "~", "./", "../")):
        raise ScaffoldError(
            f"there is no folder {path} to take the template from",
            "check the path; if the template moved, give --template URL",
        )
    url, address = _expand(template)
    if re.match(r"https?://[^/]*@", address):
        raise ScaffoldError(
            "the template's URL holds a user name or password, which the project would record",
            "leave it out and let git ask your credential helper (`git help credentials`)",
            Exit.UNSAFE,
        )
    return Source(url, address, work, ours=address == canonical_url())


def open_recorded(url: str, work: Path, *, head: bool = False) -> Source:
    """Find the template that an answers file names, and keep calling it by that name."""
    own = url == canonical_url()
    return replace(open_source(None if own else url, work, head=head), url=url)


def open_template(template: str | None, ref: str | None, work: Path) -> Template:
    """Find the template and the version asked for; the newest release when none is."""
    return open_source(template, work, head=ref == HEAD).at(ref)


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


def _from_path(path: Path, work: Path) -> Source:
    """Use a repository on this machine in place, as copier does; a bundle is unpacked."""
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


def _expand(template: str) -> tuple[str, str]:
    """Return what copier is given, and the address git uses for it.

    copier knows a Git address by its prefix or its `.git`; `git+` tells it about any other.
    """
    for short, base in _SHORT.items():
        if template.startswith(short):
            name = template.removeprefix(short).strip("/")
            return template, f"{base}{name.removesuffix('.git')}.git"
    address = template.removeprefix("git+")
    known = address.startswith(("git@", "git://")) or address.endswith(".git")
    if re.match(r"https://(github|gitlab)\.com/", address) and not known:
        return template, f"{address}.git" if address == template else address
    return (template if known else f"git+{address}"), address
