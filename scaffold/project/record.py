"""The answers file of a project: which template, which version, which answers.

It comes from the project, so nothing in it is believed before it is checked: it can be damaged by
hand, or made to mislead.
"""

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from scaffold.ground.errors import Exit, ScaffoldError

NAME = ".copier-answers.yml"
LARGEST = 1 << 20  # bytes; no honest answers file comes near
_ADOPT = "restore it from Git, or run `mlops-scaffold adopt . --template URL`"


@dataclass(frozen=True)
class Record:
    """What an answers file says. `url` and `version` are as recorded; `answers` by question."""

    url: str
    version: str
    answers: dict[str, object] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Plain values only: an alias can make a small file unfold into gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed here")
        return super().compose_node(parent, index)


# A date is text here, as it is written: no question has that type.
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class NotFound(ScaffoldError):
    """There is no answers file."""


def locate(path: Path, named: str | None = None, *, exists: bool = True) -> tuple[Path, str]:
    """Return a project's folder, and the path of its answers file in there.

    Args:
        path: the folder, or the answers file that lies in it.
        named: the answers file's path in the folder, where it is not the usual one.
        exists: it must be there.

    """
    if named is None:
        file = find(path) if exists else path / NAME
        return file.parent, file.name
    if not path.is_dir():
        cause = f"{path} is no folder, but the answers file {named} is named too"
        raise ScaffoldError(cause, "give the project's folder, or only one of both", Exit.USAGE)
    name = inside(path, named)
    if exists and not os.path.lexists(path / name):
        raise NotFound(
            f"{_named(path)} has no answers file {name}",
            "give its path in the project's folder, or put the folder under a template: "
            f"`mlops-scaffold adopt . --template URL -a {shlex.quote(name)}`",
            Exit.USAGE,
        )
    return path, name


def inside(folder: Path, named: str) -> str:
    """Return the path of an answers file in a project's folder, or refuse one outside."""
    absolute = Path(named).is_absolute()
    name = os.path.normpath(os.path.relpath(named, folder.resolve()) if absolute else named)
    if name in ("", ".") or name.split("/")[0] == "..":
        cause = f"the answers file {named} is not in {_named(folder)}"
        raise ScaffoldError(cause, "give its path in the project's folder", Exit.USAGE)
    return name


def _others(path: Path) -> list[Path]:
    """Return the files in a folder, or just below, that look like answers files of another name."""
    found = [*path.glob("*.y*ml"), *path.glob(".copier*/*.y*ml"), *path.glob("*/*copier-answers*")]
    return [file for file in sorted(found) if _names_template(file)]


def _names_template(file: Path) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        if file.is_file() and not file.is_symlink() and file.stat().st_size < LARGEST:
            return "\n_src_path:" in f"\n{file.read_text(encoding='utf-8')}"
    return False


def find(path: Path) -> Path:
    """Return the answers file that a folder, or the path of the file itself, stands for."""
    if not path.is_dir():
        if path.is_symlink() or path.is_file():
            return path
        raise ScaffoldError(f"there is no folder {path}", "give the project's folder", Exit.USAGE)
    plain = path / NAME
    if plain.is_symlink() or plain.exists():
        return plain
    others = sorted(path.glob(".copier-answers*.yml")) + sorted(path.glob(".copier-answers*.yaml"))
    if len(others) == 1:
        return others[0]
    if others:
        names = ", ".join(file.name for file in others)
        raise ScaffoldError(
            f"{_named(path)} has several answers files: {names}",
            f"name one, e.g. `mlops-scaffold update -a {others[0].name}`",
            Exit.USAGE,
        )
    remedy = "put it under one: `mlops-scaffold adopt . --template URL`"
    if candidates := _others(path):
        name = candidates[0].relative_to(path)
        remedy = f"`-a {name}` if that is its answers file; or {remedy}"
    raise NotFound(
        f"{_named(path)} is no project made from a template: it has no {NAME}",
        f"go to the project's folder, or {remedy}",
    )


def _named(path: Path) -> str:
    return "this folder" if str(path) == "." else str(path)


def read(file: Path) -> str:
    """Return the text of an answers file, which must be an ordinary small file."""
    if file.is_symlink():
        raise ScaffoldError(
            f"the answers file {file} is a link, and could point anywhere",
            "put the file itself in its place",
            Exit.UNSAFE,
        )
    try:
        if not file.is_file() and file.exists():
            raise ScaffoldError(f"the answers file {file} is no ordinary file", _ADOPT)
        if file.stat().st_size > LARGEST:
            raise ScaffoldError(f"the answers file {file} is far too large", _ADOPT)
        return file.read_bytes().decode()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScaffoldError(f"{file} cannot be read: {reason}", "check the path") from error
    except UnicodeDecodeError as error:
        raise ScaffoldError(f"the answers file {file} is no text", _ADOPT) from error


def parse(text: str, file: Path) -> Record:
    """Return what the text of an answers file says, or refuse a damaged one."""
    content = _mapping(text, file)
    url, version = content.get("_src_path"), content.get("_commit")
    if not isinstance(url, str) or not url.strip():
        raise ScaffoldError(f"{file} names no template (_src_path)", _ADOPT)
    if version is None:
        raise ScaffoldError(f"{file} names no version of its template (_commit)", _ADOPT)
    # YAML reads an unquoted 1.0 as a number, and some hashes as well.
    version = _scalar(text, "_commit") or str(version)
    if url.startswith("-") or not url.isprintable():
        raise ScaffoldError(f"{file} names no template, but {url!r}", _ADOPT, Exit.UNSAFE)
    if version.startswith("-") or not version.isprintable() or " " in version:
        raise ScaffoldError(f"{file} names no version, but {version!r}", _ADOPT, Exit.UNSAFE)
    answers = {key: value for key, value in content.items() if not key.startswith("_")}
    return Record(url, version, answers)


def answers_in(text: str, file: Path) -> dict[str, object]:
    """Return only the answers in the text of an answers file."""
    return {key: value for key, value in _mapping(text, file).items() if not key.startswith("_")}


def _mapping(text: str, file: Path) -> dict[str, object]:
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, with less
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        cause = f"the answers file {file} is broken: {reason}{where}"
        raise ScaffoldError(cause, _ADOPT) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ScaffoldError(f"the answers file {file} is broken: it is no mapping", _ADOPT)
    return content


def _scalar(text: str, key: str) -> str | None:
    """Return a top-level scalar as it is written, so that 1.10 stays 1.10."""
    node = yaml.compose(text, _Loader)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key and isinstance(value, yaml.ScalarNode):
                return str(value.value)
    return None
