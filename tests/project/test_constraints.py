"""A machine that names constraints in UV_CONSTRAINT has its projects locked within them."""

import tomllib
from pathlib import Path

import pytest

from tests.support import ANSWERS_FILE, cli, sh, template

FACTS = """\
[project]
name = "x"
version = "0"
requires-python = ">=3.11"
dependencies = ["idna"]
"""
FILES = {"copier.yml": "{}\n", "pyproject.toml": FACTS, **ANSWERS_FILE}


def versions(project: Path) -> set[str]:
    packages = tomllib.loads((project / "uv.lock").read_text())["package"]
    return {package["version"] for package in packages if package["name"] == "idna"}


def test_the_first_lock_is_within_them_and_keeps_no_trace_of_them(tmp_path: Path) -> None:
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text(
        "\ufeff# ours\r\nidna==3.7 \\\n    --hash=sha256:82fee1fc78add43492d3a1898bfa6d8a  # 2024\n"
    )
    second.write_text('\nnobody-needs-it[extra]>=1,<2 ; python_version < "3"\n')
    env = {"UV_CONSTRAINT": f"first.txt  {second}"}
    new = ("new", "x", "--template", template(tmp_path / "t", FILES), "--setup")
    done = cli(*new, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert versions(tmp_path / "x") == {"3.7"}
    nobodys = {"UV_CONSTRAINT": ""}
    assert sh("uv", "lock", "--check", "--offline", "-q", cwd=tmp_path / "x", env=nobodys) == ""


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff\xfe", "cannot be read: not UTF-8"),
        (b"numpy==2.4.6\n-c others.txt\n", "a line is no name with versions: -c others.txt"),
        (b"numpy 2.4.6\n", "a line is no name with versions: numpy 2.4.6"),
    ],
    ids=["missing", "not text", "another file", "no version"],
)
def test_what_is_no_list_of_versions_is_refused_before_anything_is_made(
    tmp_path: Path, content: bytes | None, cause: str
) -> None:
    if content is not None:
        (tmp_path / "known.txt").write_bytes(content)
    new = ("new", "x", "--template", template(tmp_path / "t", FILES), "--setup")
    done = cli(*new, cwd=tmp_path, env={"UV_CONSTRAINT": "known.txt"})
    assert done.returncode == 2, done.stderr
    assert cause in done.stderr
    assert not (tmp_path / "x").exists()
    assert not any(path.name.startswith(".") for path in tmp_path.iterdir())


def test_a_lock_that_they_make_impossible_leaves_a_whole_project_and_a_short_remedy(
    tmp_path: Path,
) -> None:
    (tmp_path / "known.txt").write_text("idna==0.0.1\n")
    new = ("new", "x", "--template", template(tmp_path / "t", FILES), "--setup")
    done = cli(*new, cwd=tmp_path, env={"UV_CONSTRAINT": "known.txt"})
    assert done.returncode == 1
    assert "there is no version of idna==0.0.1" in " ".join(done.stderr.split())
    [remedy] = [line for line in done.stderr.splitlines() if "try: " in line]
    assert remedy.startswith("   try: cd x && uv lock && ")
    assert (tmp_path / "x/.git").exists()
