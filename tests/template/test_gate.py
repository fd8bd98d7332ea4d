"""The gate: honest models pass, and each way of being bad is refused by its name."""

import csv
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import run, sh
from tests.template.conftest import PACKAGE, Server, python

Gate = Callable[..., subprocess.CompletedProcess[str]]
HERE = Path(__file__).parent


def test_20_honest_seeds_are_accepted_and_20_seeds_of_shuffled_labels_refused(
    project: Path, tmp_path: Path
) -> None:
    told = json.loads(sh(python(project), HERE / "seeds.py", PACKAGE, tmp_path, cwd=project))
    assert told["honest"] == [[]] * 20
    assert len(told["shuffled"]) == 20
    for reasons in told["shuffled"]:
        assert any(
            reason.startswith("skill") and "below the minimum" in reason for reason in reasons
        )


def test_the_first_model_is_accepted_without_a_champion_and_the_report_says_so(
    model: Path, gate: Gate, tmp_path: Path
) -> None:
    done = gate(model)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["accepted"] is True
    assert report["champion"] is None
    assert "no champion yet" in report["note"]
    assert "no champion yet" in (tmp_path / "report" / "report.md").read_text()
    golden = json.loads((tmp_path / "report" / "golden.json").read_text())
    assert len(golden["rows"]) == len(golden["predictions"]) == report["golden_rows"] > 100


@pytest.fixture
def operate(project: Path, model: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Spoil the model in one way: small tumours are those with a mean radius below 12."""

    def spoil(kind: str) -> Path:
        target = tmp_path / kind
        below = "12" if kind == "slice" else "1e9"
        sh(python(project), HERE / "surgery.py", kind, model, target, "0", below, cwd=project)
        return target

    return spoil


def test_a_model_that_is_worse_on_one_slice_only_is_refused_by_the_name_of_the_slice(
    model: Path, gate: Gate, operate: Callable[[str], Path]
) -> None:
    worse = operate("slice")
    assert gate(worse).returncode == 0  # good enough, had there been no better one
    done = gate(worse, champion=model)
    reasons = done.stdout.splitlines()[2:-1]
    assert done.returncode == 1
    assert len(reasons) == 1
    assert "on the slice 'small tumours'" in reasons[0]
    assert "worse than the champion's" in reasons[0]


def test_a_model_that_answers_nan_is_refused(
    gate: Gate, operate: Callable[[str], Path], tmp_path: Path
) -> None:
    done = gate(operate("nan"))
    assert done.returncode == 1
    assert "not a finite number for 140 of 140 golden rows" in done.stdout
    assert json.loads((tmp_path / "report" / "report.json").read_text())["slices"] == {}


FAULTS = {
    "sum": "has probabilities that are not from 0 to 1 with the sum 1",
    "label": "is not the most probable class",
}


@pytest.mark.parametrize(("kind", "what"), FAULTS.items(), ids=[*FAULTS])
def test_what_a_client_would_get_is_judged_and_such_a_model_is_not_served_either(
    project: Path, gate: Gate, operate: Callable[[str], Path], kind: str, what: str
) -> None:
    bad = operate(kind)
    done = gate(bad)
    assert done.returncode == 1
    assert f"the answer {what} for 140 of 140 golden rows" in done.stdout
    served = run(python(project), "-m", f"{PACKAGE}.serve", "--model", bad, cwd=project)
    assert (served.returncode, served.stdout) == (1, "")
    assert served.stderr == f"error: the model's answer {what}\n  try: see to_onnx() in train.py\n"


def test_the_figures_of_the_report_are_those_of_what_a_server_answers(
    project: Path, server: Server, model: Path, gate: Gate, tmp_path: Path
) -> None:
    assert gate(model).returncode == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    with (project / "data/golden.csv").open() as file:
        rows = list(csv.DictReader(file))
    truth = [row.pop("diagnosis") for row in rows]
    body = json.dumps([{name: float(value) for name, value in row.items()} for row in rows])
    request = urllib.request.Request(f"{server.url}/predict", body.encode())
    with urllib.request.urlopen(request) as said:
        answers = json.load(said)
    hits = [answer["prediction"] == true for answer, true in zip(answers, truth, strict=True)]
    assert report["slices"]["all"]["value"] == pytest.approx(sum(hits) / len(hits))

    def brier(answered: list[dict[str, float]]) -> float:
        pairs = zip(answered, truth, strict=True)
        return sum((p - (name == true)) ** 2 for a, true in pairs for name, p in a.items())

    constant = {name: truth.count(name) / len(truth) for name in set(truth)}
    skill = 1 - brier([a["probabilities"] for a in answers]) / brier([constant] * len(truth))
    assert report["slices"]["all"]["score"] == pytest.approx(skill)


@pytest.mark.parametrize("place", ["label", "probabilities", "both"])
def test_an_export_that_is_not_the_fitted_model_is_refused_before_it_is_saved(
    project: Path, tmp_path: Path, place: str
) -> None:
    done = run(python(project), HERE / "export.py", PACKAGE, place, tmp_path / "m", cwd=project)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    cause, remedy = done.stderr.splitlines()
    if place != "both":
        assert cause == f"error: the model's answer {FAULTS['label']}"
    else:
        assert re.match(r"error: the exported model answers \d+ of 86 rows otherwise than", cause)
    assert remedy == "  try: see to_onnx() in train.py"
    assert not (tmp_path / "m").exists()


def test_a_model_file_that_is_not_the_one_described_is_refused(
    model: Path, gate: Gate, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "changed")
    with (tmp_path / "changed" / "model.onnx").open("ab") as file:
        file.write(b"\0")
    done = gate(tmp_path / "changed")
    assert done.returncode == 1
    assert "not the file that model.json describes" in done.stdout


def test_a_champion_of_another_schema_is_not_compared_and_the_report_says_so(
    model: Path, gate: Gate, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "other")
    facts = json.loads((model / "model.json").read_text())
    facts["schema"]["features"][0]["name"] = "something_else"
    (tmp_path / "other" / "model.json").write_text(json.dumps(facts))
    done = gate(model, champion=tmp_path / "other")
    assert done.returncode == 0
    assert "not compared with the champion: it was made for another schema" in done.stdout


def test_a_model_is_not_judged_on_rows_that_it_may_have_been_trained_on(
    model: Path, gate: Gate, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "other")
    facts = json.loads((model / "model.json").read_text())
    (tmp_path / "other" / "model.json").write_text(json.dumps(facts | {"golden_fingerprint": "x"}))
    candidate = gate(tmp_path / "other")
    assert candidate.returncode == 1
    assert "golden.csv changed since the training" in candidate.stdout
    champion = gate(model, champion=tmp_path / "other")
    assert champion.returncode == 0
    assert "it may have been trained on these golden rows" in champion.stdout


def test_without_a_model_the_gate_says_what_to_do(gate: Gate, tmp_path: Path) -> None:
    done = gate(tmp_path / "nothing")
    assert done.returncode == 2
    assert done.stderr.splitlines()[1].strip() == "try: make train"
    assert "Traceback" not in done.stderr
