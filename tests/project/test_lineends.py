"""Our reading of Git's line end rules, against Git itself."""

from pathlib import Path

import pytest

from scaffold.project.lineends import LineEnds
from tests.support import IDENTITY, sh, write

ATTRIBUTES = {
    "none.txt": "",
    "auto.txt": "text=auto",
    "text.txt": "text",
    "binary.txt": "-text",
    "crlf.txt": "text eol=crlf",
    "onlycrlf.txt": "eol=crlf",
    "lf.txt": "text eol=lf",
    "autolf.txt": "text=auto eol=lf",
}


# Git itself refuses core.autocrlf=input together with core.eol=crlf.
SETTINGS = [
    (autocrlf, eol)
    for autocrlf in ("", "true", "input", "false")
    for eol in ("", "crlf", "lf")
    if (autocrlf, eol) != ("input", "crlf")
]


@pytest.mark.parametrize(("autocrlf", "eol"), SETTINGS)
def test_line_ends_are_what_git_makes_of_them(tmp_path: Path, autocrlf: str, eol: str) -> None:
    sh("git", "init", "-q", tmp_path)
    for name, value in (("autocrlf", autocrlf), ("eol", eol)):
        if value:
            sh("git", "config", f"core.{name}", value, cwd=tmp_path)
    lines = "".join(f"{name} {value}\n" for name, value in ATTRIBUTES.items() if value)
    write(tmp_path, {".gitattributes": lines, **dict.fromkeys(ATTRIBUTES, "a\r\nb\r\n")})
    for name in ATTRIBUTES:
        (tmp_path / name).write_bytes(b"a\r\nb\r\n")
    sh("git", "-c", "core.safecrlf=false", "add", "-A", cwd=tmp_path)
    sh("git", "commit", "-qm", "x", cwd=tmp_path, env=IDENTITY)
    said = sh("git", "check-attr", "text", "eol", "--", *ATTRIBUTES, cwd=tmp_path)
    found: dict[str, dict[str, str]] = {}
    for line in said.splitlines():
        path, attribute, value = line.split(": ")
        if value != "unspecified":
            found.setdefault(path, {})[attribute] = value
    ends = LineEnds(found, autocrlf, eol)
    for name in ATTRIBUTES:
        stored = sh("git", "cat-file", "-s", f":{name}", cwd=tmp_path).strip() == "4"
        assert ends.stores_lf(name) == stored, name
        if not stored:
            continue
        (tmp_path / name).unlink()
        sh("git", "checkout", "-q", "--", name, cwd=tmp_path)
        assert ends.in_work_tree(name, b"a\nb\n") == (tmp_path / name).read_bytes(), name
