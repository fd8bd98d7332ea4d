"""Renderings: what a template may read, what is kept in the cache, and what is not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import (
    ANSWERS_FILE,
    IDENTITY,
    SMALL,
    clean_environment,
    cli,
    commit,
    sh,
    template,
)


def refs(cache: Path) -> list[str]:
    store = cache / "renderings/sha1.git"
    if not store.exists():
        return []
    return sh("git", f"--git-dir={store}", "for-each-ref", "--format=%(refname)").splitlines()


def test_data_of_another_answers_file_reaches_the_template(tmp_path: Path) -> None:
    files = {
        "copier.yml": "_external_data:\n  main: .copier-answers.main.yml\nname: x\n",
        "out.txt.jinja": "{{ _external_data.main.team }} 1\n",
        **ANSWERS_FILE,
    }
    source = template(tmp_path / "t", files)
    made = tmp_path / "p"
    commit(made, {".copier-answers.main.yml": "team: fraud\n", "a.txt": "a\n"})
    sh("copier", "copy", "-q", "--defaults", source, made)
    assert (made / "out.txt").read_text() == "fraud 1\n"
    commit(made)
    commit(source, {"out.txt.jinja": "{{ _external_data.main.team }} 2\n"}, tag="v1.1.0")
    done = cli("update", made / ".copier-answers.yml")
    assert done.returncode == 0, done.stderr
    assert (made / "out.txt").read_text() == "fraud 2\n"
    assert sh("git", "diff", "--cached", "--name-only", cwd=made).split() == [
        ".copier-answers.yml",
        "out.txt",
    ]
    commit(made)
    commit(made, {".copier-answers.main.yml": "team: risk\n"})
    named = "_external_data:\n  main: '{{ other }}'\nname: x\nother: .copier-answers.main.yml\n"
    changed = {"copier.yml": named, "new.txt.jinja": "{{ _external_data.main.team }}\n"}
    commit(source, changed, tag="v1.2.0")
    done = cli("update", made / ".copier-answers.yml")
    assert done.returncode == 0, done.stderr
    assert (made / "out.txt").read_text() == "risk 2\n"
    assert (made / "new.txt").read_text() == "risk\n"
    commit(made)
    assert cli("diff", "--json", made / ".copier-answers.yml").stdout.count('"path"') == 1
    commit(made, {".copier-answers.main.yml": "team: other\n"})
    told = cli("diff", "--json", made / ".copier-answers.yml").stdout
    assert told.count('"path"') == 1, "what the person changed is no difference in the rendering"


def test_a_template_with_submodules_is_rendered_whole(tmp_path: Path) -> None:
    part = template(tmp_path / "part", {"inside.txt": "of the submodule\n"})
    source = template(tmp_path / "t")
    allow = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow"}
    allow |= {"GIT_CONFIG_VALUE_0": "always"}
    sh("git", "submodule", "-q", "add", part, "sub", cwd=source, env=allow)
    commit(source, tag="v1.1.0")
    done = cli("new", tmp_path / "p", "--template", source, env=allow)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p/sub/inside.txt").read_text() == "of the submodule\n"
    assert not list((tmp_path / "p/sub").glob(".git*"))


def test_a_rendering_is_kept_and_used_again(tmp_path: Path) -> None:
    cache = {"MLOPS_SCAFFOLD_CACHE": str(tmp_path / "cache")}
    source = template(tmp_path / "t")
    assert cli("new", tmp_path / "p", "--template", source, env=cache).returncode == 0
    assert len(refs(tmp_path / "cache")) == 1
    commit(source, {"more.txt": "more\n"}, tag="v1.1.0")
    assert cli("update", tmp_path / "p", env=cache).returncode == 0
    assert len(refs(tmp_path / "cache")) == 2
    assert cli("diff", tmp_path / "p", env=cache).stdout == ""
    assert len(refs(tmp_path / "cache")) == 2


def test_what_a_secret_answer_rendered_is_not_kept(tmp_path: Path) -> None:
    config = SMALL["copier.yml"] + "token:\n  type: str\n  secret: true\n  default: none\n"
    files = SMALL | {"copier.yml": config, "token.txt.jinja": "{{ token }}\n"}
    source = template(tmp_path / "t", files)
    cache = {"MLOPS_SCAFFOLD_CACHE": str(tmp_path / "cache")}
    options = ("--template", source, "-d", "token=hunter2")
    assert cli("new", tmp_path / "p", *options, env=cache).returncode == 0
    assert (tmp_path / "p/token.txt").read_text() == "hunter2\n"
    commit(source, {"more.txt": "more\n"}, tag="v1.1.0")
    done = cli("update", tmp_path / "p", "-d", "token=hunter2", env=cache)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p/token.txt").read_text() == "hunter2\n"
    assert refs(tmp_path / "cache") == []
    for file in (tmp_path / "cache").rglob("*"):
        assert not file.is_file() or b"hunter2" not in file.read_bytes(), file
    text = yaml.safe_load((tmp_path / "p/.copier-answers.yml").read_text())
    assert "token" not in text


@pytest.mark.parametrize("damage", ["objects", "empty", "head"])
def test_a_damaged_cache_costs_time_only(tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    env = {"MLOPS_SCAFFOLD_CACHE": str(cache)}
    source = template(tmp_path / "t")
    assert cli("new", tmp_path / "p", "--template", source, env=env).returncode == 0
    commit(source, {"more.txt": "more\n"}, tag="v1.1.0")
    store = cache / "renderings/sha1.git"
    if damage == "objects":
        shutil.rmtree(store / "objects")
    elif damage == "head":
        (store / "HEAD").unlink()
    else:
        for file in store.glob("objects/??/*"):
            file.chmod(0o644)
            file.write_bytes(b"")
    done = cli("update", tmp_path / "p", env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p/more.txt").exists()


def test_many_at_once_share_a_cold_cache(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    for number in range(8):
        options = ("--template", source, "-d", f"size={number}")
        assert cli("new", tmp_path / f"p{number}", *options).returncode == 0
    commit(source, {"more.txt": "more\n"}, tag="v1.1.0")
    env = clean_environment() | IDENTITY | {"MLOPS_SCAFFOLD_CACHE": str(tmp_path / "cold")}
    argv = [sys.executable, "-m", "scaffold", "update"]
    running = [
        subprocess.Popen(
            [*argv, str(tmp_path / f"p{number}")], env=env, stdout=subprocess.PIPE, stderr=-1
        )
        for number in range(8)
    ]
    for number, process in enumerate(running):
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        assert (tmp_path / f"p{number}/more.txt").exists()
