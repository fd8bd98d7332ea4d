"""Training: the same bytes from the same commit, with where they come from written down."""

import json
import subprocess
from pathlib import Path

from tests.support import clean_environment, run, sh
from tests.template.conftest import PACKAGE, python


def test_training_gives_the_same_bytes_in_any_folder_under_any_hash_seed(
    project: Path, model: Path, tmp_path: Path
) -> None:
    runs = []
    for seed in ("0", "1", "random"):
        clone, out = tmp_path / f"clone-{seed}", tmp_path / f"out-{seed}"
        sh("git", "clone", "-q", project, clone)
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(clone / "src")}
        argv = [str(python(project)), "-m", f"{PACKAGE}.train", "--out", str(out)]
        runs.append(subprocess.Popen(argv, cwd=clone, env=clean_environment() | environment))
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    for name in ("model.onnx", "model.json"):
        made = {(tmp_path / f"out-{seed}" / name).read_bytes() for seed in ("0", "1", "random")}
        assert made == {(model / name).read_bytes()}


def test_a_model_says_which_commit_it_comes_from_and_when_it_expires(
    project: Path, model: Path
) -> None:
    facts = json.loads((model / "model.json").read_text())
    commit, when = sh("git", "log", "-1", "--format=%H %cd", "--date=unix", cwd=project).split()
    assert facts["commit"] == commit
    expected = sh("date", "-u", "-d", f"@{when}", "+%Y-%m-%dT%H:%M:%SZ").strip()
    assert facts["created"] == expected
    assert facts["expires"][:10] == sh("date", "-u", "-d", f"{expected} +90 days", "+%F").strip()


def test_a_model_of_changed_files_is_marked_and_one_without_git_says_unknown(
    project: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", project, clone)
    (clone / "note.txt").write_text("not committed\n")
    path = {"PYTHONPATH": str(clone / "src"), "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    argv = (python(project), "-m", f"{PACKAGE}.train", "--out")
    sh(*argv, tmp_path / "a", cwd=clone, env=path)
    (clone / ".git").rename(tmp_path / "elsewhere")
    sh(*argv, tmp_path / "b", cwd=clone, env=path)
    facts = [json.loads((tmp_path / name / "model.json").read_text()) for name in "ab"]
    assert facts[0]["commit"].endswith("-dirty")
    assert (facts[1]["commit"], facts[1]["created"]) == ("unknown", "1980-01-01T00:00:00Z")
    assert facts[0]["model_sha256"] == facts[1]["model_sha256"]


def test_a_class_without_a_row_to_fit_on_is_named(project: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", project, clone)
    data = clone / "src" / PACKAGE / "data.py"
    data.write_text(data.read_text().replace('("benign", "mal', '("benign", "between", "mal'))
    path = {"PYTHONPATH": str(clone / "src")}
    done = run(python(project), "-m", f"{PACKAGE}.train", cwd=clone, env=path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: of the class 'between' there is no row to fit on\n")
    assert "try: bring more rows of it, or take it out of SCHEMA" in done.stderr


def test_a_golden_row_added_without_its_weight_is_told_as_a_fault_of_the_file(
    project: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", project, clone)
    file = clone / "data" / "golden.csv"
    head, first, *rows = file.read_text().splitlines()
    weighed = [f"{head},stands_for", f"{first},", *(f"{row},1" for row in rows)]
    file.write_text("\n".join(weighed))
    path = {"PYTHONPATH": str(clone / "src")}
    done = run(python(project), "-m", f"{PACKAGE}.train", cwd=clone, env=path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/golden.csv: could not convert string to float")


def test_serving_needs_nothing_that_only_training_uses(project: Path) -> None:
    code = (
        f"import sys, {PACKAGE}.serve; "
        "print({'pandas', 'sklearn', 'onnx', 'skl2onnx', 'scipy'} & set(sys.modules) or 'none')"
    )
    assert sh(python(project), "-c", code, cwd=project).strip() == "none"
