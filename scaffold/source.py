"""Where template versions come from: the bundle in the wheel, this checkout, or a Git URL or path.

Whatever the source, what comes out is a `Template`: a local Git repository, one version in it, and
the Git settings under which copier finds that repository behind the template's real URL. So the
answers file names the real URL and a version, never a place on this machine.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

from scaffold import bundle, git
from scaffold.errors import Exit, ScaffoldError

PACKAGE = Path(__file__).resolve().parent
HEAD = "HEAD"
_SHORT = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}


@dataclass(frozen=True)
class Template:
    """One version of a template, ready to be rendered.

    `url` is what the answers file records and copier is given; `ref` is the version as asked for,
    and `version` as Git describes it; `path` is the local Git repository that holds it; `ours` says
    that it is this project's own template.
    """

    url: str
    ref: str
    version: str
    path: Path
    ours: bool = False
    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def environment(self) -> dict[str, str]:
        """Return the environment in which copier's git finds the template."""
        return git.environment(private=self.ours, config=self.config)

    def read(self, name: str) -> str | None:
        """Return the text of a file at the template's root, or None when there is none."""
        if self.ref == HEAD and (self.path / name).is_file():
            return (self.path / name).read_text(encoding="utf-8")  # copier takes it as it stands
        try:
            return git.git("show", f"{self.ref}:{name}", cwd=self.path)
        except git.GitError:
            return None


@cache
def canonical_url() -> str:
    """Return the URL of this project's template, which the package metadata holds."""
    try:
        entries = metadata.metadata("mlops-scaffold").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        entries = []
    for entry in entries:
        label, _, url = entry.partition(", ")
        if label == "Template":
            return str(url)
    raise ScaffoldError(
        "mlops-scaffold is not installed here, only lying about",
        "install it, e.g. `pip install -e .` in its checkout",
    )


def open_template(template: str | None, ref: str | None, work: Path) -> Template:
    """Find the template and the version asked for; the newest release when none is.

    Args:
        template: URL or path; None is the template that came with this installation.
        ref: tag, branch or commit; HEAD in a checkout is the work tree as it stands.
        work: a scratch folder that lives as long as the template is used.

    """
    if ref is not None and (ref.startswith("-") or not ref.strip()):
        raise ScaffoldError(f"{ref!r} is no version", "give a tag, e.g. v1.0.0", Exit.USAGE)
    if template is None:
        return _own(ref, work / "template.git")
    return _given(template, ref, work / "template.git")


def _own(ref: str | None, repository: Path) -> Template:
    checkout = PACKAGE.parent
    shipped = PACKAGE / bundle.NAME
    if (checkout / "copier.yml").is_file() and (checkout / ".git").exists():
        _from_checkout(checkout, repository, ref)
    elif shipped.is_file():
        env = git.environment(private=True)
        git.git(
            "clone", "-q", "--bare", "--template=", "--", str(shipped), str(repository), env=env
        )
    else:
        raise ScaffoldError(
            "this installation carries no template",
            "install mlops-scaffold from its package, or give --template URL",
        )
    url = canonical_url()
    return Template(url, *_version(repository, ref), repository, True, _behind(url, repository))


def _from_checkout(checkout: Path, repository: Path, ref: str | None) -> None:
    """Make the template's repository from the source tree this CLI runs from."""
    if ref != HEAD:
        bundle.build_history(checkout, repository)
        return
    try:
        bundle.build_history(checkout, repository)
    except ScaffoldError:  # no commit yet, or a shallow clone: the work tree needs no history
        bundle.create(checkout, repository)
    bundle.add_work_tree(checkout, repository)


def _given(template: str, ref: str | None, repository: Path) -> Template:
    path = Path(template).expanduser()
    if path.exists():
        return _from_path(path.resolve(), ref, repository)
    url, address = _expand(template)
    if re.match(r"https?://[^/]*@", address):
        raise ScaffoldError(
            "the template's URL holds a user name or password, which the project would record",
            "leave it out and let git ask your credential helper (`git help credentials`)",
            Exit.UNSAFE,
        )
    try:
        git.git(
            "clone", "-q", "--bare", "--", address, str(repository), seconds=git.NETWORK_SECONDS
        )
    except git.GitError as error:
        raise ScaffoldError(
            f"the template {template} cannot be reached: {_reason(error)}",
            "check the address, the network and your access",
        ) from error
    config = (*_behind(address, repository), ("protocol.file.allow", "always"))
    ours = address == canonical_url()
    return Template(url, *_version(repository, ref), repository, ours, config)


def _from_path(path: Path, ref: str | None, repository: Path) -> Template:
    """Use a repository on this machine in place, as copier does; unpack a bundle to read it."""
    if path.is_file():
        return _from_bundle(path, ref, repository)
    bare = path.is_dir() and (path / "HEAD").is_file() and (path / "objects").is_dir()
    if not bare and not (path / ".git").exists():
        raise ScaffoldError(
            f"{path} is no template: it is not a Git repository, so it has no versions",
            "run `git init`, commit and tag it, or give the repository's root",
        )
    return Template(str(path), *_version(path, ref), path)


def _from_bundle(file: Path, ref: str | None, repository: Path) -> Template:
    try:
        git.git("clone", "-q", "--bare", "--", str(file), str(repository))
    except git.GitError as error:
        raise ScaffoldError(
            f"{file} is no template: it is a file, and no Git bundle",
            "give the folder or the URL of a Git repository",
        ) from error
    return Template(str(file), *_version(repository, ref), repository)


def _version(repository: Path, ref: str | None) -> tuple[str, str]:
    """Return the ref to use and its description, or say what there is."""
    tags = git.git("tag", "--list", cwd=repository).split()
    if ref is None:
        newest = newest_version(tags)
        if newest is None:
            raise ScaffoldError(
                "the template has no tags, so it has no released version",
                "name the version yourself, e.g. --ref HEAD",
            )
        return newest, newest
    if ref in tags:
        return ref, ref
    try:
        return ref, git.git("describe", "--tags", "--always", ref, cwd=repository).strip()
    except git.GitError as error:
        known = ", ".join(sorted(tags)[-5:]) or "none"
        raise ScaffoldError(
            f"the template has no version {ref!r}", f"choose one of its tags: {known}", Exit.USAGE
        ) from error


def newest_version(tags: list[str]) -> str | None:
    """Return the newest release among the tags, or the newest pre-release if there is no other."""
    from packaging.version import InvalidVersion, Version

    versions = []
    for tag in tags:
        try:
            versions.append((Version(tag), tag))
        except InvalidVersion:
            continue
    finals = [entry for entry in versions if not entry[0].is_prerelease]
    return max(finals or versions, default=(None, None))[1]


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


def _behind(url: str, repository: Path) -> tuple[tuple[str, str], ...]:
    """Return the Git setting that makes a local repository answer for a URL."""
    return ((f"url.{repository}.insteadOf", url),)


def _reason(error: git.GitError) -> str:
    lines = [line for line in error.stderr.splitlines() if line.startswith(("fatal:", "ERROR"))]
    return (lines or error.stderr.strip().splitlines() or ["no reason given"])[0]
