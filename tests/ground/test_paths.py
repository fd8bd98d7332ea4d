"""A template cannot write into `.git`, nor out of the project."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.ground import paths
from scaffold.ground.errors import ScaffoldError
from tests.support import SMALL, cli, leftovers, sh, template, write

UNSAFE = 4


@pytest.mark.parametrize(
    "name",
    [
        *(".git", ".GIT", ".gIt", "git~1", "GIT~2", ".git.", ".git ", ".git . ."),
        *(".git::$INDEX_ALLOCATION", ".g\u200cit", "\ufeff.git", "\uff0egit"),
    ],
)
def test_every_spelling_of_dot_git_is_known(name: str) -> None:
    assert paths.is_git_name(name)


@pytest.mark.parametrize(
    "name", [".gitignore", ".github", "git", ".gitattributes", "digit", ".git-blame-ignore-revs"]
)
def test_ordinary_names_are_not_taken_for_dot_git(name: str) -> None:
    assert not paths.is_git_name(name)


@given(st.text(max_size=8))
def test_no_name_makes_the_check_fail(name: str) -> None:
    assert paths.is_git_name(name) in (True, False)


def test_a_tree_with_a_link_inside_itself_is_fine(tmp_path: Path) -> None:
    write(tmp_path, {"a/b.txt": "b", "c.txt": "c"})
    (tmp_path / "a/link").symlink_to("../c.txt")
    assert paths.check(tmp_path) == 3


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "a/../../outside", "."])
def test_a_link_out_of_the_tree_is_refused(tmp_path: Path, target: str) -> None:
    root = tmp_path / "root"
    write(root, {"a/b.txt": "b"})
    (root / "link").symlink_to(target)
    if target == ".":
        assert paths.check(root) == 1
        return
    with pytest.raises(ScaffoldError, match="points out of the project"):
        paths.check(root)


HOSTILE = {
    "a hook": {"[[ '.git' ]]/hooks/pre-commit": "#!/bin/sh\ntouch RAN\n"},
    "a git file": {"[[ '.GIT' ]]": "gitdir: /elsewhere\n"},
    "a git setting below": {"sub/[[ '.git' ]]/config": "[core]\nfsmonitor = touch RAN\n"},
    "a way up": {"[[ '..' ]]/[[ '..' ]]/escaped.txt": "out\n"},
    "an absolute path": {"[[ outside ]]/escaped.txt": "out\n"},
    "an answers file elsewhere": {"[[ _copier_conf.answers_file ]].jinja": "out\n"},
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_template_is_refused_and_nothing_is_written(tmp_path: Path, attack: str) -> None:
    folder, outside = tmp_path / "w", tmp_path / "outside"
    folder.mkdir()
    config = (
        "_envops:\n  variable_start_string: '[['\n  variable_end_string: ']]'\n_exclude: []\n"
        f"outside:\n  default: {outside}\n"
    )
    if attack == "an answers file elsewhere":
        config += "_answers_file: ../../escaped.txt\n"
    files = {name: text.replace("RAN", f"{tmp_path}/ran") for name, text in HOSTILE[attack].items()}
    source = template(tmp_path / "t", {"copier.yml": config, "hello.txt": "hello\n"} | files)
    done = cli("new", "x", "--template", source, cwd=folder)
    assert done.returncode == UNSAFE, done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "ran").exists()
    assert not outside.exists()
    assert not list(tmp_path.glob("escaped.txt"))


def test_a_link_that_a_template_keeps_cannot_lead_out(tmp_path: Path) -> None:
    source = tmp_path / "t"
    write(source, SMALL | {"copier.yml": "_preserve_symlinks: true\nproject_name: x\nsize: 1\n"})
    (source / "link").symlink_to(tmp_path)
    template(source, {})
    done = cli("new", "x", "--template", source, cwd=tmp_path)
    assert done.returncode == UNSAFE, done.stderr
    assert "'link' points out of the project" in done.stderr
    assert not (tmp_path / "x").exists()
    assert leftovers(tmp_path) == []


def test_a_template_repository_with_hooks_and_monitors_runs_none_of_them(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    for hook in ("post-checkout", "pre-push", "reference-transaction"):
        path = source / ".git/hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        path.chmod(0o755)
    sh("git", "config", "core.fsmonitor", f"touch {tmp_path}/ran", cwd=source)
    for ref in ("v1.0.0", "HEAD"):
        done = cli("new", f"x-{ref}", "--template", source, "--ref", ref, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()
