"""Where the template comes from: the wheel, the checkout, a URL, a path, a bundle."""

import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.support import (
    ANSWERS_FILE,
    IDENTITY,
    Done,
    checkout,
    cli,
    commit,
    run,
    sh,
    template,
    write,
)

CANONICAL = "https://github.com/mlops-scaffold/mlops-scaffold.git"


def answers(project: Path) -> dict[str, object]:
    loaded = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's source with a release 0.1.0 and an unreleased change after it."""
    folder = checkout(tmp_path_factory.mktemp("released") / "with space ü")
    text = (folder / "pyproject.toml").read_text()
    lines = text.splitlines()
    version = next(line for line in lines if line.startswith("version = "))
    commit(folder, {"pyproject.toml": text.replace(version, 'version = "0.1.0"')})
    after = {"pyproject.toml": text.replace(version, 'version = "0.2.0.dev0"')}
    commit(folder, after | {"template/unreleased.txt": "new\n"})
    return folder


@pytest.fixture(scope="module")
def installed(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of a wheel, built by way of an sdist and installed where no checkout is."""
    folder = tmp_path_factory.mktemp("installed")
    sh("uv", "build", "-q", "--out-dir", folder / "dist", released)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "scaffold/template.bundle" in archive.namelist()
        assert not [name for name in archive.namelist() if name.startswith(("template", "tests"))]
    sh("uv", "venv", "-q", "--python", sys.executable, folder / "venv")
    sh("uv", "pip", "install", "-q", "--python", folder / "venv/bin/python", wheel)
    return folder / "venv/bin/mlops-scaffold"


def offline(*argv: str | Path, cwd: Path) -> Done:
    """Run a program without any network, where that can be arranged."""
    alone = run("unshare", "-rn", "true").returncode == 0
    env = dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    return run(*(("unshare", "-rn") if alone else ()), *argv, cwd=cwd, env=env)


def test_an_installed_wheel_works_offline_and_records_url_and_tag(
    installed: Path, tmp_path: Path
) -> None:
    done = offline(installed, "new", "churn-model", "--defaults", "--no-setup", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    recorded = answers(tmp_path / "churn-model")
    assert (recorded["_src_path"], recorded["_commit"]) == (CANONICAL, "v0.1.0")
    assert not (tmp_path / "churn-model/unreleased.txt").exists()
    assert sh("git", "status", "--porcelain", cwd=tmp_path / "churn-model") == ""


def test_an_installed_wheel_says_which_versions_it_holds(installed: Path, tmp_path: Path) -> None:
    options = ("--defaults", "--no-setup", "--ref", "v7.0.0")
    done = run(installed, "new", "churn-model", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert "v0.1.0" in done.stderr


def test_the_wheel_is_the_same_bytes_when_built_twice(released: Path, tmp_path: Path) -> None:
    built = []
    for name in ("one", "two"):
        sh("uv", "build", "-q", "--wheel", "--out-dir", tmp_path / name, released)
        built.append(next((tmp_path / name).glob("*.whl")).read_bytes())
    assert built[0] == built[1]


def test_no_wheel_is_built_from_a_shallow_clone(released: Path, tmp_path: Path) -> None:
    sh("git", "clone", "-q", "--depth=1", f"file://{released}", tmp_path / "shallow")
    done = run("uv", "build", "--wheel", "--out-dir", tmp_path / "dist", tmp_path / "shallow")
    assert done.returncode != 0
    assert "shallow clone" in done.stderr
    assert not list((tmp_path / "dist").glob("*.whl"))


def test_a_checkout_gives_its_newest_release_and_head_the_work_tree(
    released: Path, tmp_path: Path
) -> None:
    env = {"PYTHONPATH": str(released)}
    start = (sys.executable, "-m", "scaffold", "new")
    for name, ref in (("a-a", ()), ("b-b", ("--ref", "HEAD"))):
        options = ("--defaults", "--no-setup", *ref)
        done = run(*start, tmp_path / name, *options, cwd=released, env=env)
        assert done.returncode == 0, done.stderr
    assert answers(tmp_path / "a-a")["_commit"] == "v0.1.0"
    assert str(answers(tmp_path / "b-b")["_commit"]).startswith("v0.1.0-1-g")
    assert answers(tmp_path / "b-b")["_src_path"] == CANONICAL
    assert not (tmp_path / "a-a/unreleased.txt").exists()
    assert (tmp_path / "b-b/unreleased.txt").exists()


def test_a_shallow_checkout_still_gives_its_work_tree(released: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    sh("git", "clone", "-q", "--depth=1", f"file://{released}", shallow)
    env = {"PYTHONPATH": str(shallow)}
    start = (sys.executable, "-m", "scaffold", "new")
    options = ("--defaults", "--no-setup")
    done = run(*start, tmp_path / "a-a", *options, cwd=shallow, env=env)
    assert done.returncode == 1
    assert "shallow" in done.stderr
    done = run(*start, tmp_path / "a-a", *options, "--ref", "HEAD", cwd=shallow, env=env)
    assert done.returncode == 0, done.stderr


def test_a_template_behind_a_url_is_recorded_by_its_url(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    url = f"git+file://{source}"
    done = cli("new", "x", "--template", url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert answers(tmp_path / "x")["_src_path"] == url
    assert answers(tmp_path / "x")["_commit"] == "v1.0.0"


def test_a_remote_template_is_fetched_with_the_persons_own_git_settings(tmp_path: Path) -> None:
    template(tmp_path / "t")
    home = tmp_path / "home"
    write(home, {".gitconfig": f'[url "{tmp_path}/t"]\ninsteadOf = https://git.invalid/t.git\n'})
    env = IDENTITY | {"HOME": str(home), "XDG_CONFIG_HOME": ""}
    url = "https://git.invalid/t.git"
    done = cli("new", "x", "--template", url, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert answers(tmp_path / "x")["_src_path"] == url


def test_a_git_bundle_is_a_template_too(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    sh("git", "bundle", "create", "-q", tmp_path / "t.bundle", "--all", "HEAD", cwd=source)
    done = cli("new", "x", "--template", "t.bundle", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert answers(tmp_path / "x")["_src_path"] == str(tmp_path / "t.bundle")


def test_a_path_is_recorded_absolute_so_that_updates_find_it(tmp_path: Path) -> None:
    template(tmp_path / "my templates/t")
    done = cli("new", "x", "--template", "my templates/t", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert answers(tmp_path / "x")["_src_path"] == str(tmp_path / "my templates/t")


def test_a_version_can_be_a_tag_a_branch_a_commit_or_the_work_tree(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    first = sh("git", "rev-parse", "HEAD", cwd=source).strip()
    commit(source, {"hello.txt.jinja": "second\n"}, tag="v2.0.0")
    commit(source, {"hello.txt.jinja": "third\n"})
    (source / "hello.txt.jinja").write_text("uncommitted\n")
    expected = {
        "v1.0.0": "x-v1.0.0 3\n",
        "v2.0.0": "second\n",
        first: f"x-{first} 3\n",
        "main": "third\n",
        "HEAD": "uncommitted\n",
    }
    for ref, text in expected.items():
        name = f"x-{ref}"
        done = cli("new", name, "--template", source, "--ref", ref, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name / "hello.txt").read_text() == text
    assert cli("new", "y", "--template", source, cwd=tmp_path).returncode == 0
    assert answers(tmp_path / "y")["_commit"] == "v2.0.0"


def test_a_users_copier_settings_and_cache_change_nothing(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("defaults:\n  size: 99\ntrust: ['/']\n")
    cache = tmp_path / "cache"
    env = {"COPIER_SETTINGS_PATH": str(settings), "COPIER_CACHE_DIR": str(cache)}
    source = f"git+file://{template(tmp_path / 't')}"
    assert cli("new", "x", "--template", source, cwd=tmp_path, env=env).returncode == 0
    assert (tmp_path / "x/hello.txt").read_text() == "x 3\n"
    assert not cache.exists()


def test_a_template_with_included_questions_works(tmp_path: Path) -> None:
    files = {
        "copier.yml": "!include more.yml\n---\n_exclude: [more.yml, copier.yml, .git]\nb: 2\n",
        "more.yml": "a: 1\n",
        "out.txt.jinja": "{{ a }} {{ b }}\n",
        **ANSWERS_FILE,
    }
    source = template(tmp_path / "t", files)
    done = cli("new", "x", "--template", source, "-d", "a=5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x/out.txt").read_text() == "5 2\n"


def test_plain_copier_can_update_what_new_made(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    assert cli("new", "x", "--template", source, cwd=tmp_path).returncode == 0
    commit(source, {"more.txt": "more\n"}, tag="v1.1.0")
    sh("copier", "update", "--defaults", "-q", cwd=tmp_path / "x", env=IDENTITY)
    assert (tmp_path / "x/more.txt").exists()
    assert answers(tmp_path / "x")["_commit"] == "v1.1.0"


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = {"TMPDIR": str(scratch)}
    options = ("--defaults", "--no-setup", "--ref", "HEAD")
    assert cli("new", "churn-model", *options, cwd=tmp_path, env=env).returncode == 0
    assert list(scratch.iterdir()) == []
