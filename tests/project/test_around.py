"""`new` in a Git repository that is there already: refused, but where it does no harm."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support import ROOT, commit, sh, template, write
from tests.warm import cli

UNSAFE = 4


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A repository with a commit."""
    commit(tmp_path / "there", {"a.txt": "a\n"})
    return tmp_path / "there"


def below(there: Path) -> Path:
    return there / "x"


def far_below(there: Path) -> Path:
    return there / "models" / "churn" / "x"


def by_a_link(there: Path) -> Path:
    (there.parent / "link").symlink_to(there)
    return there.parent / "link" / "x"


def in_a_linked_worktree(there: Path) -> Path:
    sh("git", "worktree", "add", "-q", there.parent / "linked", cwd=there)
    return there.parent / "linked" / "x"


def in_a_submodule(there: Path) -> Path:
    commit(there.parent / "part", {"b.txt": "b\n"})
    allow = ("-c", "protocol.file.allow=always")
    sh("git", *allow, "submodule", "--quiet", "add", there.parent / "part", "part", cwd=there)
    return there / "part" / "x"


def of_somebody_else(there: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    for path in (there, there / ".git"):
        os.chown(path, 12345, 12345)
    return there / "x"


def with_only_a_part_ignored(there: Path) -> Path:
    write(there, {".gitignore": "x/build/\n*.log\n"})
    return there / "x"


@pytest.mark.parametrize(
    "place",
    [
        below,
        far_below,
        by_a_link,
        in_a_linked_worktree,
        in_a_submodule,
        of_somebody_else,
        with_only_a_part_ignored,
    ],
)
def test_a_repository_inside_another_is_refused(
    there: Path, small: Path, place: Callable[[Path], Path]
) -> None:
    target = place(there)
    done = cli("new", target, "--template", small)
    assert done.returncode == UNSAFE, done.stderr
    cause, remedy = [line for line in done.stderr.splitlines() if line]
    assert cause.startswith("error: x would be a Git repository inside of another, /")
    assert "--no-git" in remedy and "root" in remedy
    assert not target.exists() and not target.parent.joinpath("models").exists()


def ignored(there: Path) -> Path:
    write(there, {".gitignore": "demo/\n"})
    return there / "demo" / "x"


def ignored_as_everything(there: Path) -> Path:
    write(there, {".gitignore": "*\n"})
    return there / "x"


def ignored_by_this_clone_alone(there: Path) -> Path:
    (there / ".git/info/exclude").write_text("/x/\n")
    return there / "x"


def beside_a_bare_one(there: Path) -> Path:
    sh("git", "clone", "-q", "--bare", there, there.parent / "w/.bare")
    (there.parent / "w/.git").write_text("gitdir: ./.bare\n")
    return there.parent / "w" / "x"


def in_no_repository(there: Path) -> Path:
    return there.parent / "x"


@pytest.mark.parametrize(
    "place",
    [
        ignored,
        ignored_as_everything,
        ignored_by_this_clone_alone,
        beside_a_bare_one,
        in_no_repository,
    ],
)
def test_a_place_that_belongs_to_no_repository_is_free(
    there: Path, small: Path, place: Callable[[Path], Path]
) -> None:
    target = place(there)
    done = cli("new", target, "--template", small, env={"GIT_DIR": str(there / ".git")})
    assert done.returncode == 0, done.stderr
    assert (target / ".git").is_dir()


def test_a_home_whose_settings_are_kept_in_git_is_no_repository_to_be_part_of(
    there: Path, small: Path
) -> None:
    home: Mapping[str, str] = {"HOME": str(there)}
    done = cli("new", there / "work/x", "--template", small, env=home)
    assert done.returncode == 0, done.stderr
    commit(there / "work/x")
    done = cli("new", there / "work/x/y", "--template", small, env=home)
    assert done.returncode == UNSAFE


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_without_a_repository_of_its_own_it_is_made_and_its_ci_files_are_named(
    there: Path, ci: str
) -> None:
    target = there / "models" / "churn-model"
    options = ("--defaults", "--ref", "HEAD", "--no-setup", "--no-git", "-d", f"ci={ci}")
    done = cli("new", target, *options, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert not (target / ".git").exists()
    file = {"github": ".github/workflows", "gitlab": ".gitlab-ci.yml"}[ci]
    said = f"CI reads {file} at the root of {there} only"
    assert said in done.stderr and "models/churn-model" in done.stderr
    typed = sh("make", "setup", "UV=echo", cwd=target)
    assert "sync --locked" in typed and "pre_commit" not in typed  # the hooks are not its own
    outside = cli("new", there.parent / "churn-model", *options, cwd=ROOT)
    assert outside.returncode == 0 and "CI reads" not in outside.stderr
    assert "pre_commit install" in sh("make", "setup", "UV=echo", cwd=there.parent / "churn-model")
