"""The template's version history, made from a repository's own history."""

import hashlib
import shutil
from pathlib import Path

import pytest

from scaffold.ground.errors import ScaffoldError
from scaffold.origin import bundle
from tests.support import IDENTITY, commit, run, sh


def release(folder: Path, version: str, text: str) -> str:
    """Commit a change of the template under a version."""
    files = {
        "pyproject.toml": f"[project]\nname = 'x'\nversion = '{version}'\n",
        "copier.yml": "a: 1\n",
        "template/file.txt": text,
        "LICENSE": "yours\n",
        "secret.txt": "not for the wheel\n",
    }
    return commit(folder, files)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """0.1.0.dev0, 0.1.0, 0.2.0.dev0, a change without a version, 0.2.0, 0.3.0.dev0."""
    folder = tmp_path / "checkout"
    for version in ("0.1.0.dev0", "0.1.0", "0.2.0.dev0"):
        release(folder, version, f"{version}\n")
    commit(folder, {"template/file.txt": "a change\n"})
    release(folder, "0.2.0", "0.2.0\n")
    release(folder, "0.3.0.dev0", "unreleased\n")
    return folder


def test_each_release_is_one_tagged_commit_with_only_what_a_template_needs(
    history: Path, tmp_path: Path
) -> None:
    file = tmp_path / "t.bundle"
    bundle.write(history, file, tmp_path)
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", file, clone)
    assert sh("git", "tag", cwd=clone).split() == ["v0.1.0", "v0.2.0"]
    assert sh("git", "rev-list", "--count", "HEAD", cwd=clone).strip() == "2"
    assert sh("git", "show", "v0.1.0:template/file.txt", cwd=clone) == "0.1.0\n"
    assert sh("git", "show", "v0.2.0:template/file.txt", cwd=clone) == "0.2.0\n"
    names = sh("git", "ls-tree", "-r", "--name-only", "HEAD", cwd=clone).split()
    assert names == ["LICENSE", "copier.yml", "template/file.txt"]


def test_the_same_history_gives_the_same_bytes_however_it_is_packed(
    history: Path, tmp_path: Path
) -> None:
    digests = set()
    for number, prepare in enumerate(("", "repack", "clone")):
        source = history
        if prepare == "repack":
            sh("git", "repack", "-adfq", "--depth=1", cwd=history)
        if prepare == "clone":
            source = tmp_path / "copy"
            sh("git", "clone", "-q", "--no-local", history, source)
        work = tmp_path / str(number)
        work.mkdir()
        bundle.write(source, work / "t.bundle", work)
        digests.add(hashlib.sha256((work / "t.bundle").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_before_the_first_release_there_is_the_version_of_head(tmp_path: Path) -> None:
    release(tmp_path / "checkout", "0.1.0.dev0", "first\n")
    commit(tmp_path / "checkout", {"template/file.txt": "second\n"})
    releases = bundle.build_history(tmp_path / "checkout", tmp_path / "r.git")
    assert [entry.tag for entry in releases] == ["v0.1.0.dev0"]
    text = sh("git", "show", "v0.1.0.dev0:template/file.txt", cwd=tmp_path / "r.git")
    assert text == "second\n"


def test_only_what_reached_the_main_line_is_a_release(tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    release(folder, "0.1.0", "0.1.0\n")
    sh("git", "checkout", "-q", "-b", "side", cwd=folder)
    release(folder, "0.9.0", "0.9.0\n")
    release(folder, "0.2.0.dev0", "0.2.0.dev0\n")
    sh("git", "checkout", "-q", "main", cwd=folder)
    commit(folder, {"other.txt": "main goes on\n"})
    sh("git", "merge", "-q", "--no-ff", "-m", "Merge", "side", cwd=folder, env=IDENTITY)
    releases = bundle.build_history(folder, tmp_path / "r.git")
    assert [entry.version for entry in releases] == ["0.1.0"]


def test_a_release_may_arrive_by_a_merge(tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    release(folder, "0.1.0.dev0", "first\n")
    sh("git", "checkout", "-q", "-b", "side", cwd=folder)
    release(folder, "0.1.0", "0.1.0\n")
    sh("git", "checkout", "-q", "main", cwd=folder)
    commit(folder, {"template/more.txt": "main goes on\n"})
    sh("git", "merge", "-q", "--no-ff", "-m", "Merge", "side", cwd=folder, env=IDENTITY)
    (made,) = bundle.build_history(folder, tmp_path / "r.git")
    assert made.version == "0.1.0"
    assert made.commit == sh("git", "rev-parse", "main", cwd=folder).strip()
    names = sh("git", "ls-tree", "-r", "--name-only", "v0.1.0", cwd=tmp_path / "r.git").split()
    assert "template/more.txt" in names


def test_a_shallow_clone_is_refused(history: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    sh("git", "clone", "-q", "--depth=1", f"file://{history}", shallow)
    with pytest.raises(ScaffoldError, match="shallow clone") as refusal:
        bundle.build_history(shallow, tmp_path / "r.git")
    assert "--unshallow" in refusal.value.remedy


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    sh("git", "init", "-q", tmp_path / "checkout")
    with pytest.raises(ScaffoldError, match="no commit yet"):
        bundle.build_history(tmp_path / "checkout", tmp_path / "r.git")


def test_the_work_tree_comes_on_top_as_git_would_commit_it(history: Path, tmp_path: Path) -> None:
    (history / ".gitignore").write_text("*.log\n")
    (history / "template/file.txt").write_text("uncommitted\n")
    (history / "template/new.txt").write_text("untracked\n")
    (history / "template/noise.log").write_text("ignored\n")
    (history / "template/run.sh").write_text("#!/bin/sh\n")
    (history / "template/run.sh").chmod(0o755)
    repository = tmp_path / "r.git"
    bundle.build_history(history, repository)
    bundle.add_work_tree(history, repository)
    names = sh("git", "ls-tree", "-r", "HEAD", "template/", cwd=repository)
    assert [line.split("\t")[1] for line in names.splitlines()] == [
        "template/file.txt",
        "template/new.txt",
        "template/run.sh",
    ]
    assert "100755 blob" in names
    assert sh("git", "show", "HEAD:template/file.txt", cwd=repository) == "uncommitted\n"
    described = sh("git", "describe", "--tags", "HEAD", cwd=repository)
    assert described.startswith("v0.2.0-1-g")
    assert sh("git", "status", "--porcelain", cwd=history).splitlines()[0] == " M template/file.txt"


def test_the_work_tree_of_a_linked_worktree_is_found_too(history: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    sh("git", "worktree", "add", "-q", linked, cwd=history)
    (linked / "template/file.txt").write_text("linked\n")
    bundle.build_history(linked, tmp_path / "r.git")
    bundle.add_work_tree(linked, tmp_path / "r.git")
    assert sh("git", "show", "HEAD:template/file.txt", cwd=tmp_path / "r.git") == "linked\n"


def test_the_history_needs_the_checkout_no_more_once_it_is_bundled(
    history: Path, tmp_path: Path
) -> None:
    file = tmp_path / "t.bundle"
    bundle.write(history, file, tmp_path)
    shutil.rmtree(history)
    shutil.rmtree(tmp_path / "history.git")
    sh("git", "clone", "-q", file, tmp_path / "clone")
    assert run("git", "fsck", "--strict", cwd=tmp_path / "clone").returncode == 0
