"""Runs and snapshots: what was trained from what, kept, compared and made again."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import IDENTITY, Done, clean_environment, run, sh
from tests.template.conftest import PACKAGE, python


@pytest.fixture
def place(project: Path, tmp_path: Path) -> Path:
    """A clone that runs its own code, in a path with a space and an umlaut."""
    folder = tmp_path / "my mödels" / "churn-model"
    sh("git", "clone", "-q", project, folder)
    (folder / ".venv").symlink_to(project / ".venv")
    (folder / ".git/info/exclude").write_text(".venv\n")
    return folder


def ops(place: Path, *words: str, **more: str) -> Done:
    """A verb, as make types it."""
    path = {"PYTHONPATH": str(place / "src"), **IDENTITY}
    return run(python(place), "-m", "ops", *words, cwd=place, env=path | more)


def lines(place: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (place / ".state/runs.jsonl").read_text().splitlines()]


def test_a_snapshot_trains_the_same_bytes_without_load(place: Path) -> None:
    assert (done := ops(place, "train")).returncode == 0, done.stderr
    artifacts = place / "src" / PACKAGE / "artifacts"
    before = [(artifacts / name).read_bytes() for name in ("model.onnx", "model.json")]
    assert (done := ops(place, "data")).returncode == 0, done.stderr
    [kept] = (place / ".state/data").iterdir()
    assert lines(place)[0]["data"][:12] == kept.stem  # type: ignore[index]
    data = place / "src" / PACKAGE / "data.py"
    data.write_text(data.read_text().replace("def load()", "def _load()") + DOWN)
    assert ops(place, "train").returncode == 1
    sh("git", "update-index", "--assume-unchanged", f"src/{PACKAGE}/data.py", cwd=place)
    assert (done := ops(place, "train", DATA=kept.stem[:8])).returncode == 0, done.stderr
    after = [(artifacts / name).read_bytes() for name in ("model.onnx", "model.json")]
    assert after == before
    done = ops(place, "train", DATA="0123456789")
    assert done.returncode == 1
    assert "there is no snapshot that begins with '0123456789'" in done.stderr
    assert "try: make data" in done.stderr


def test_a_snapshot_of_another_table_is_told_from_this_one(place: Path) -> None:
    assert ops(place, "data").returncode == 0
    [kept] = (place / ".state/data").iterdir()
    data = place / "src" / PACKAGE / "data.py"
    data.write_text(data.read_text().replace("mean_area", "mean_size"))
    done = ops(place, "train", DATA=kept.stem)
    assert done.returncode == 1
    assert "is of another table than data.py declares: it lacks 'mean_size'" in done.stderr
    assert "try: make data, or train without DATA=" in done.stderr


DOWN = """

def load() -> pd.DataFrame:
    raise OSError("the warehouse is down")
"""


def test_a_try_on_changed_files_scores_and_leaves_no_model(place: Path) -> None:
    artifacts = place / "src" / PACKAGE / "artifacts"
    shutil.rmtree(artifacts, ignore_errors=True)
    first = ops(place, "try")
    assert first.returncode == 0, first.stderr
    assert "not compared with a champion" in first.stdout
    (place / "note.txt").write_text("not committed\n")
    champion = place / ".state/champion"
    argv = (python(place), "-m", f"{PACKAGE}.train", "--seed", "3", "--out", champion)
    sh(*argv, cwd=place, env={"PYTHONPATH": str(place / "src")})
    second = ops(place, "try")
    assert second.returncode == 0, second.stderr
    assert "it may have been trained on these rows" in second.stdout
    assert not artifacts.exists()
    one, two = lines(place)
    assert (one["kind"], one["changes"], one["seed"]) == ("try", "", 0)
    assert two["changes"] and two["commit"] == one["commit"]
    assert two["parameters"]["logisticregression__C"] == 1.0  # type: ignore[index]
    assert two["model_sha256"] == one["model_sha256"]


def test_a_library_that_warns_often_is_heard_once_in_a_run(place: Path) -> None:
    train = place / "src" / PACKAGE / "train.py"
    warns = (
        "import warnings\n    for _ in range(9): warnings.warn(f'{_ * 0} epochs', stacklevel=1)\n"
    )
    body = "    return make_pipeline("
    train.write_text(train.read_text().replace(body, f"    {warns}{body}"))
    for verb in ("try", "train"):
        done = ops(place, verb)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("0 epochs") == 1, done.stderr
        assert "warning: UserWarning: 0 epochs\n" in done.stderr


def test_two_tries_at_once_both_leave_a_line_and_a_torn_one_is_counted(place: Path) -> None:
    (place / ".state").mkdir()
    (place / ".state/runs.jsonl").write_text('{"time": "2026-')
    argv = [str(python(place)), "-m", "ops", "try"]
    environment = clean_environment() | {"PYTHONPATH": str(place / "src")}
    both = [subprocess.Popen(argv, cwd=place, env=environment) for _ in range(2)]
    assert [one.wait(timeout=120) for one in both] == [0, 0]
    done = ops(place, "runs")
    assert done.returncode == 0, done.stderr
    assert "2 runs, 1 unreadable lines" in done.stdout
    page = (place / ".state/runs.html").read_text()
    assert page.count("<circle") == 2
    assert "http" not in page


def test_a_full_disk_is_told_as_one(place: Path) -> None:
    data = place / "src" / PACKAGE / "data.py"
    full = DOWN.replace('"the warehouse is down"', '28, "No space left on device"')
    data.write_text(data.read_text().replace("def load()", "def _load()") + full)
    done = ops(place, "data")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "  try: make room on the disk\n" in done.stderr


def test_a_run_that_cannot_be_written_down_is_a_warning(place: Path) -> None:
    (place / ".state/runs.jsonl").mkdir(parents=True)
    done = ops(place, "try")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("warning: this run is not in ")


def test_a_run_shows_which_parameters_the_run_before_had_otherwise(place: Path) -> None:
    train = place / "src" / PACKAGE / "train.py"
    imputed = "    from sklearn.impute import SimpleImputer\n\n    return make_pipeline(SimpleImputer(), "
    train.write_text(train.read_text().replace("    return make_pipeline(", imputed))
    assert ops(place, "try").returncode == 0
    assert lines(place)[0]["parameters"]["simpleimputer__missing_values"] == "nan"
    train.write_text(
        train.read_text().replace("LogisticRegression(ran", "LogisticRegression(C=0.5, ran")
    )
    first, second = ops(place, "try").stdout.splitlines()[-2:]
    assert second.endswith("  C 0.5")
    assert "  C " not in first
    assert ops(place, "runs").stdout.count("  C 0.5\n") == 1
    assert (place / ".state/runs.html").read_text().count("<td>C 0.5</td>") == 1


@pytest.mark.parametrize("git", ["none", "no commit"])
def test_a_try_needs_no_git(place: Path, git: str) -> None:
    shutil.rmtree(place / ".git")
    if git == "no commit":
        sh("git", "init", "-q", place)
    done = ops(place, "try", GIT_CEILING_DIRECTORIES=str(place.parent))
    assert done.returncode == 0, done.stderr
    assert lines(place)[0]["commit"] == "unknown"


def test_other_data_for_the_same_commit_is_told(place: Path) -> None:
    assert ops(place, "try").returncode == 0
    log = place / ".state/runs.jsonl"
    one = lines(place)[0] | {"data": "f" * 64}
    log.write_text(json.dumps(one) + "\n")
    done = ops(place, "try")
    assert "warning: this commit was trained with other data before: ffffffffffff" in done.stderr


def test_a_dead_tracking_server_or_no_client_fails_no_run(place: Path) -> None:
    done = ops(place, "try", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "uv add --group training mlflow-skinny" in done.stderr


def test_types_survive_a_snapshot(place: Path) -> None:
    code = """
import pandas as pd, numpy as np, tempfile
t = pd.DataFrame({
    "zone": pd.to_datetime(["2026-01-01T00:00+01:00", None], utc=True).tz_convert("Europe/Paris"),
    "gaps": [True, None], "whole": pd.array([1, None], "Int64"),
    "kind": pd.Categorical(["a", None], ["b", "a"]), "vector": [[1.0, 2.0], [3.0, 4.0]],
})
with tempfile.NamedTemporaryFile() as f:
    t.to_parquet(f.name)
    back = pd.read_parquet(f.name)
assert list(back.dtypes) == list(t.dtypes), (back.dtypes, t.dtypes)
assert back["kind"].cat.categories.tolist() == ["b", "a"] and back["gaps"].tolist() == [True, None]
assert [list(v) for v in back["vector"]] == t["vector"].tolist()
"""
    sh(python(place), "-c", code, cwd=place)


def test_a_release_is_made_again_from_its_commit_and_snapshot(fresh_project: Path) -> None:
    assert (
        done := run("make", "data", "train", "gate", "build", cwd=fresh_project)
    ).returncode == 0, done
    done = run("make", "reproduce", cwd=fresh_project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "data from the snapshot" in done.stdout
    assert done.stdout.count(" same") == 3, done.stdout
    [record] = (fresh_project / ".state/releases").glob("*/release.json")
    said = json.loads(record.read_text())
    record.write_text(json.dumps(said | {"commit": "0" * 40}))
    done = run("make", "reproduce", cwd=fresh_project)
    assert "git fetch; the commit 000000000000 must be here" in done.stderr
    record.write_text(json.dumps(said | {"dirty": True}))
    done = run("make", "reproduce", cwd=fresh_project)
    assert "was built from files in no commit" in done.stderr
