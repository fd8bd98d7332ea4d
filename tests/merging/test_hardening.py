"""Ways to be misled that were once found, each with the smallest case that shows it."""

import json
import sys
from pathlib import Path

import pytest

from scaffold.origin import versions
from tests.support import IDENTITY, SMALL, commit, run, sh, template, write
from tests.warm import cli

NINE = "".join(f"line {number}\n" for number in range(9))
NEWER = NINE.replace("line 2\n", "line 2 new\n")
FILES = SMALL | {"a.txt": NINE}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = template(tmp_path / "t", FILES)
    commit(folder, {"a.txt": NEWER}, tag="v2.0.0")
    return folder


def new(source: Path, made: Path, *options: str) -> Path:
    done = cli("new", made, "--template", source, "--ref", "v1.0.0", *options)
    assert done.returncode == 0, done.stderr
    return made


def test_status_runs_no_python_code_of_the_project(source: Path, tmp_path: Path) -> None:
    made = new(source, tmp_path / "p")
    witness = tmp_path / "ran"
    code = f"open({str(witness)!r}, 'w')\n"
    write(made, {"scaffold/__init__.py": code, "typer.py": code, "yaml.py": code})
    cold = {"MLOPS_SCAFFOLD_CACHE": str(tmp_path / "cold")}
    argv = (sys.executable, "-P", "-c", "from scaffold.__main__ import main; main()", "status")
    done = run(*argv, cwd=made, env=cold)
    assert done.returncode == 5, done.stderr
    assert "no file differs" in done.stdout
    assert not witness.exists()


def test_uncommitted_work_in_a_file_whose_name_begins_with_a_quote(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SMALL | {'"a"': NINE, "a": NINE})
    commit(source, {'"a"': NEWER}, tag="v2.0.0")
    made = new(source, tmp_path / "p")
    (made / '"a"').write_text(NINE + "mine\n")
    done = cli("update", made)
    assert done.returncode == 1
    assert '"a" (changed)' in done.stderr
    assert (made / '"a"').read_text() == NINE + "mine\n"


def test_a_merged_history_of_its_own_does_not_make_a_template_trusted(
    source: Path, tmp_path: Path
) -> None:
    made = new(source, tmp_path / "p")
    evil = template(tmp_path / "evil", FILES)
    text = (made / ".copier-answers.yml").read_text().replace(str(source), str(evil))
    sh("git", "checkout", "-q", "--orphan", "e", cwd=made)
    commit(made, {".copier-answers.yml": text})
    sh("git", "checkout", "-q", "main", cwd=made)
    merge = ("merge", "-q", "--allow-unrelated-histories", "-X", "theirs", "-m", "m", "e")
    sh("git", *merge, cwd=made, env=IDENTITY)
    assert str(evil) in (made / ".copier-answers.yml").read_text()
    assert cli("status", made).returncode == 4


def test_a_template_that_came_by_a_merged_branch_is_the_first(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "p"
    commit(made, {"own.txt": "own\n"})
    sh("git", "checkout", "-q", "-b", "adopt", cwd=made)
    options = ("--template", source, "--ref", "v1.0.0")
    assert cli("adopt", made, *options).returncode == 0
    commit(made)
    sh("git", "checkout", "-q", "main", cwd=made)
    sh("git", "merge", "-q", "--no-ff", "-m", "m", "adopt", cwd=made, env=IDENTITY)
    sh("git", "clone", "-q", made, tmp_path / "clone")
    assert cli("status", tmp_path / "clone").returncode == 5


def test_the_version_is_recorded_and_not_a_tag_that_moves(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FILES)
    for name in ("stable", "v1"):
        sh("git", "tag", name, cwd=source)
    made = new(source, tmp_path / "p")
    assert "_commit: v1.0.0\n" in (made / ".copier-answers.yml").read_text()
    for moving in ("stable", "v1"):
        made = tmp_path / moving
        assert cli("new", made, "--template", source, "--ref", moving).returncode == 0
        assert "_commit: v1.0.0\n" in (made / ".copier-answers.yml").read_text()


@pytest.mark.parametrize("moving", ["stable", "v1"])
def test_a_project_recorded_under_a_moving_tag_is_told_so(tmp_path: Path, moving: str) -> None:
    source = template(tmp_path / "t", FILES)
    made = new(source, tmp_path / "p")
    answers = made / ".copier-answers.yml"
    commit(made, {".copier-answers.yml": answers.read_text().replace("v1.0.0", moving)})
    commit(source, {"a.txt": NEWER}, tag="v1.1.0")
    sh("git", "tag", moving, cwd=source)
    done = cli("status", made)
    assert done.returncode == 1
    assert f"{moving} is moved along with newer versions" in done.stderr
    done = cli("update", made)
    assert done.returncode == 1
    assert "adopt" in done.stderr
    done = cli("adopt", made, "--template", source)
    assert done.returncode == 0, done.stderr
    assert (made / "a.txt").read_text() == NEWER
    assert "_commit: v1.1.0\n" in answers.read_text()


def test_short_tags_are_aliases_only_beside_longer_ones() -> None:
    assert versions.releases(["v1", "v1.0.0", "v1.1.0"]) == ["v1.0.0", "v1.1.0"]
    assert versions.releases(["v1", "v2"]) == ["v1", "v2"]
    assert versions.releases(["1.0", "1.1"]) == ["1.0", "1.1"]


def test_a_template_path_is_recorded_as_it_was(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "p"
    sh("copier", "copy", "-q", "--defaults", "--vcs-ref", "v1.0.0", "t", made, cwd=tmp_path)
    commit(made)
    assert "_src_path: t\n" in (made / ".copier-answers.yml").read_text()
    assert "no file differs" in cli("status", "p", cwd=tmp_path).stdout
    assert cli("update", "p", cwd=tmp_path).returncode == 0
    assert "_src_path: t\n" in (made / ".copier-answers.yml").read_text()
    commit(made)
    assert "the newest" in cli("status", "p", cwd=tmp_path).stdout


def test_filters_of_the_templates_repository_never_run(source: Path, tmp_path: Path) -> None:
    made = new(source, tmp_path / "p")
    witness = tmp_path / "ran"
    sh("git", "config", "filter.x.clean", f"touch {witness}; cat", cwd=source)
    (source / ".git/info").mkdir(exist_ok=True)
    (source / ".git/info/attributes").write_text("*.txt filter=x\n")
    (source / "a.txt").write_text(NEWER.replace("line 3", "line Q"))
    assert cli("update", made, "--to", "HEAD").returncode == 0
    assert (made / "a.txt").read_text().count("line Q") == 1
    assert not witness.exists()


def test_hardened_git_settings_are_no_obstacle(source: Path, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[safe]\n\tbareRepository = explicit\n")
    env = {"GIT_CONFIG_GLOBAL": str(tmp_path / "config")}
    options = ("--defaults", "--no-setup")
    assert cli("new", tmp_path / "own", *options, env=env).returncode == 0
    sh("git", "clone", "-q", "--bare", source, tmp_path / "bare.git")
    done = cli("new", tmp_path / "p", "--template", tmp_path / "bare.git", env=env)
    assert done.returncode == 0, done.stderr


def test_a_project_from_before_the_first_tag_is_behind_all(tmp_path: Path) -> None:
    source = tmp_path / "t"
    commit(source, FILES)
    done = cli("new", tmp_path / "p", "--template", source, "--ref", "HEAD")
    assert done.returncode == 0, done.stderr
    commit(source, {"a.txt": NEWER}, tag="v1.0.0")
    commit(source, tag="v2.0.0")
    done = cli("status", tmp_path / "p")
    assert done.returncode == 5
    assert "2 releases behind" in done.stdout


def test_the_way_back_in_json_names_the_project(source: Path, tmp_path: Path) -> None:
    made = new(source, tmp_path / "p 2")
    data = json.loads(cli("update", made, "--json").stdout)
    assert data["undo"] == f"mlops-scaffold undo '{made}'"


def test_a_changelog_in_another_encoding_or_with_escapes_does_no_harm(
    source: Path, tmp_path: Path
) -> None:
    made = new(source, tmp_path / "p")
    (source / "CHANGELOG.md").write_bytes(b"## 3.0.0\n\n- caf\xe9 \x1b[2J\n")
    commit(source, tag="v3.0.0")
    done = cli("update", made)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr
    assert "caf" in done.stderr


def test_a_name_that_stdout_cannot_show_stops_nothing(source: Path, tmp_path: Path) -> None:
    made = new(source, tmp_path / "żółw")
    env = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    for verb in ("update", "undo"):
        command = f"{sys.executable} -m scaffold {verb} '{made}' > '{tmp_path}/said' 2>&1"
        assert run("bash", "-c", command, env=env).returncode == 0


def test_a_folder_that_is_not_there_is_said(source: Path, tmp_path: Path) -> None:
    for argv in (("undo",), ("adopt", "--template", source)):
        done = cli(*argv, tmp_path / "nowhere")
        assert done.returncode == 2
        assert "there is no folder" in done.stderr


def test_a_dry_run_prints_a_patch_that_applies(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SMALL | {"f.txt": "a\nb\fc\n"})
    commit(source, {"f.txt": "a\nb\fd\n"}, tag="v2.0.0")
    made = new(source, tmp_path / "p")
    argv = f"{sys.executable} -m scaffold update --dry-run {made} > {tmp_path / 'patch'}"
    assert run("bash", "-c", argv).returncode == 0
    sh("git", "apply", "--check", tmp_path / "patch", cwd=made)


def test_another_templates_answers_file_is_not_replaced(source: Path, tmp_path: Path) -> None:
    made = new(source, tmp_path / "p")
    other = template(tmp_path / "other")
    done = cli("adopt", made, "--template", other)
    assert done.returncode == 1
    assert "another template already" in done.stderr


def test_a_generated_key_is_not_replaced_silently(tmp_path: Path) -> None:
    key = "KEY={{ range(99999) | random }}\n"
    source = template(tmp_path / "t", SMALL | {"env.txt.jinja": key})
    commit(source, {"b.txt": "b\n"}, tag="v2.0.0")
    made = new(source, tmp_path / "p")
    mine = (made / "env.txt").read_text()
    done = cli("update", made)
    assert done.returncode == 3, "what renders differently each time is a conflict, never a change"
    assert mine.strip() in (made / "env.txt").read_text()


def test_files_named_like_our_scratch_are_the_persons(source: Path, tmp_path: Path) -> None:
    made = new(source, tmp_path / "p")
    names = [f".mlops-scaffold-{number}.tmp" for number in range(4)]
    write(made, dict.fromkeys(names, "mine\n"))
    assert cli("update", made).returncode == 0
    for name in names:
        assert (made / name).read_text() == "mine\n"


def test_a_pipe_as_the_answers_file_does_not_hang(source: Path, tmp_path: Path) -> None:
    made = new(source, tmp_path / "p")
    (made / ".copier-answers.yml").unlink()
    sh("mkfifo", made / ".copier-answers.yml")
    done = cli("status", made, seconds=20)
    assert done.returncode == 1
    assert "no ordinary file" in done.stderr
