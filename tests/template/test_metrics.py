"""The figures that the gate judges by are those of what a client gets, weighted as the table is."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import clean_environment, sh
from tests.template import tables
from tests.template.conftest import PACKAGE, Server, python, serving
from tests.template.tables import Figures

HERE = Path(__file__).parent
KINDS = {
    "rare": ("churned", ["no", "yes"], tables.RARE, "", "threshold = 0.2"),
    "three": ("kind", ["a", "b", "c"], tables.THREE, "", ""),
    "number": ("price", [], tables.NUMBER, tables.RIDGE, ""),
}
CLASSES = ["log_loss", "roc_auc", "average_precision", "accuracy", "balanced_accuracy"]
CLASSES += ["precision", "recall", "f1"]
NUMBERS = ["mean_absolute_error", "root_mean_squared_error", "r2", "mean_pinball_loss"]
EVERY = ["skill", *CLASSES, *NUMBERS]


def figures(folder: Path, target: str, classes: list[str], server: Server) -> Figures:
    """What the test makes of golden.csv and of what a server answers to its rows."""
    rows, truth, weights = tables.golden(folder, target)
    answers = tables.answers(server, rows)
    return computed(folder, truth=truth, weights=weights, answers=answers, classes=classes)


def computed(folder: Path, **given: Any) -> Figures:
    words = [str(python(folder)), str(HERE / "figures.py")]
    said = subprocess.run(
        words, input=json.dumps(given), text=True, check=True, stdout=-1, env=clean_environment()
    )
    found: Figures = json.loads(said.stdout)
    return found


class Case:
    """A trained project, its server, and the figures of what that answers."""

    def __init__(self, folder: Path, kind: str, server: Server) -> None:
        self.folder, self.kind, self.server = folder, kind, server
        self.target, self.classes, *_ = KINDS[kind]
        self.figures = figures(folder, self.target, self.classes, server)


Cases = Callable[[str], Case]


@pytest.fixture(scope="module")
def cases(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    """Each case by its kind, made when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def case(kind: str) -> Case:
            folder = tmp_path_factory.mktemp(kind) / "churn-model"
            tables.made(project, folder, *KINDS[kind][2:])
            done = tables.do(folder, "train")
            assert done.returncode == 0, done.stderr
            model, log = folder / "src" / PACKAGE / "artifacts", folder.parent / "log"
            path = {"PYTHONPATH": f"{folder / 'src'}"}
            return Case(folder, kind, stack.enter_context(serving(folder, model, log, **path)))

        yield case


@pytest.fixture
def rare(cases: Cases) -> Case:
    return cases("rare")


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("kind", KINDS)
def test_a_metric_is_the_figure_of_what_a_client_gets_or_is_refused_in_a_line(
    cases: Cases, kind: str, name: str
) -> None:
    case = cases(kind)
    tables.metric(case.folder, name)
    done = tables.do(case.folder, "gate")
    if name in case.figures:
        report = tables.report(case.folder)
        dull = (kind, name) == ("rare", "accuracy")  # always "no" is right in 99 of 100 rows
        assert (done.returncode, done.stderr) == (int(dull), "")
        assert dull == ("no better than a constant answer" in done.stdout)
        found = report["slices"]["all"]["score"]
        assert report["metric"] == name
        assert found == pytest.approx(case.figures[name], rel=1e-6)
        low, high = report["interval"]
        assert low < found < high
        assert f"{name} {found:.3f}" in (case.folder / ".state/gate/report.md").read_text()
    else:
        assert name in (NUMBERS if case.classes else CLASSES)
        assert (done.returncode, done.stdout) == (2, "")
        what = "numbers" if case.classes else "classes"
        cause = f"error: metric = '{name}' is for {what}, which {case.target} has not"
        assert done.stderr.splitlines()[0] == cause
        assert not [*(case.folder / ".state/gate").glob("report.*")]  # none of the gate before


def test_a_name_that_is_no_metrics_is_refused_with_those_that_are(rare: Case) -> None:
    tables.metric(rare.folder, "acuracy")
    done = tables.do(rare.folder, "gate")
    assert (done.returncode, done.stdout) == (2, "")
    assert "metric = 'acuracy': known are skill, log_loss, roc_auc" in done.stderr


@pytest.mark.parametrize("limit", ["min_roc_auc", "min_slice_roc_auc", "slice_margin", "margin"])
def test_a_limit_that_is_missing_is_named_with_what_to_do(rare: Case, limit: str) -> None:
    tables.metric(rare.folder, "roc_auc")
    file = rare.folder / "pyproject.toml"
    file.write_text(re.sub(rf"(?m)^{limit} = .*\n", "", file.read_text()))
    done = tables.do(rare.folder, "gate")
    assert (done.returncode, done.stdout) == (2, "")
    cause, remedy = done.stderr.splitlines()
    assert cause == f"error: the gate has no limit '{limit}'"
    assert remedy == "  try: add it to [tool.mlops.gate] in pyproject.toml, in units of roc_auc"


RANKS = ["roc_auc", "average_precision", "precision", "recall", "f1"]


@pytest.mark.parametrize("name", RANKS)
def test_a_slice_of_one_class_has_no_figure_and_is_not_judged(rare: Case, name: str) -> None:
    tables.metric(rare.folder, name, low=0.1)
    done = tables.do(rare.folder, "gate")
    assert (done.returncode, done.stderr) == (0, "")
    part = tables.report(rare.folder)["slices"]["nobody"]
    assert part["rows"] > 30
    assert part["score"] is None
    gate = rare.folder / ".state/gate"
    assert re.search(r"\| nobody \| \d+ \| - \| (1|0\.\d+) \|", (gate / "report.md").read_text())
    assert re.search(r"<td>nobody<td>\d+<td>-<td>(1|0\.\d+)\n", (gate / "report.html").read_text())


def test_golden_holds_fifty_of_a_rare_class_and_weights_add_up_to_the_table(rare: Case) -> None:
    _, truth, weights = tables.golden(rare.folder, "churned")
    assert truth.count("yes") == 50
    assert 3500 < len(truth) < 5050  # enough of the others to rank them
    total = dict.fromkeys(("yes", "no"), 0.0)
    for name, weight in zip(truth, weights, strict=True):
        total[name] += weight
    assert total == pytest.approx({"yes": 200, "no": 19_800}, rel=1e-4)


def test_the_figures_of_the_golden_rows_are_those_of_the_whole_table(rare: Case) -> None:
    code = f"from {PACKAGE}.data import load; print(load().to_json(orient='records'))"
    words = (python(rare.folder), "-c", code)
    path = {"PYTHONPATH": f"{rare.folder / 'src'}"}
    table: list[Any] = json.loads(sh(*words, cwd=rare.folder, env=path))
    truth = [row.pop("churned") for row in table]
    answers, classes = tables.answers(rare.server, table), rare.classes
    ones = [1.0] * len(truth)
    whole = computed(rare.folder, truth=truth, weights=ones, answers=answers, classes=classes)
    for name in ("skill", *CLASSES):
        tables.metric(rare.folder, name)
        assert tables.do(rare.folder, "gate").returncode == int(name == "accuracy")
        low, high = tables.report(rare.folder)["interval"]
        by_chance = (high - low) / 2  # five of 100 true values are not between the two
        assert low - by_chance <= whole[name] <= high + by_chance, name


def test_the_threshold_is_what_is_gated_and_served_and_the_report_shows_it(rare: Case) -> None:
    rows, truth, weights = tables.golden(rare.folder, "churned")
    rows, truth, weights = rows[:1000], truth[:1000], weights[:1000]
    named = tables.answers(rare.server, rows)
    said = [answer["probabilities"]["yes"] for answer in named]
    expected = ["yes" if value >= 0.2 else "no" for value in said]
    assert [answer["prediction"] for answer in named] == expected
    assert any(0.2 <= value < 0.5 for value in said)  # where it makes a difference
    data = [list(row.values()) for row in rows]
    given = {"name": "features", "datatype": "FP64", "shape": [len(rows), 3], "data": data}
    body = {"inputs": [given]}
    answer = httpx.post(f"{rare.server.url}/v2/models/churn-model/infer", json=body).json()
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    label = next(data for name, data in outputs.items() if "label" in name)
    assert [rare.classes[code] for code in label] == expected

    tables.metric(rare.folder, "recall")
    assert tables.do(rare.folder, "gate").returncode == 0
    for name in ("report.md", "report.html"):
        text = (rare.folder / ".state/gate" / name).read_text().replace("&#x27;", "'")
        assert "threshold: 'yes' is the answer from 0.2 on" in text
    served = tables.answers(rare.server, tables.golden(rare.folder, "churned")[0])
    _, truth, weights = tables.golden(rare.folder, "churned")
    cells = {(t, s): 0.0 for t in rare.classes for s in rare.classes}
    for true, one, weight in zip(truth, served, weights, strict=True):
        cells[true, one["prediction"]] += weight
    page = (rare.folder / ".state/gate/report.md").read_text()
    for true in rare.classes:
        told = " | ".join(f"{cells[true, said]:.0f}" for said in rare.classes)
        assert f"| {true} | {told} |" in page


def test_a_model_of_another_threshold_is_refused(rare: Case) -> None:
    tables.metric(rare.folder, "recall")
    file = rare.folder / "pyproject.toml"
    content = file.read_text()
    file.write_text(content.replace("threshold = 0.2", "threshold = 0.3"))
    done = tables.do(rare.folder, "gate")
    file.write_text(content)
    assert done.returncode == 1
    assert "trained with another threshold than pyproject.toml has: make train" in done.stdout


ALWAYS_NO = """
def estimator(seed: int) -> Any:
    return LogisticRegression(C=1e-9)
"""


def test_a_model_that_always_says_no_is_refused_by_that_name(project: Path, tmp_path: Path) -> None:
    folder = tables.made(project, tmp_path / "churn-model", tables.RARE, ALWAYS_NO)
    tables.metric(folder, "accuracy", low=0.9)
    assert tables.do(folder, "train").returncode == 0
    done = tables.do(folder, "gate")
    assert done.returncode == 1
    assert tables.report(folder)["slices"]["all"]["score"] == pytest.approx(0.99)
    assert done.stdout.splitlines()[2:-1] == [
        "the answer is always 'no', also to 50 rows that are something else",
        "accuracy 0.990 is no better than a constant answer's 0.990",
    ]


def test_95_of_100_intervals_hold_the_true_value(project: Path) -> None:
    held = json.loads(sh(python(project), HERE / "intervals.py", PACKAGE, cwd=project))
    assert held.keys() == {"skill", "error", "groups", "hits"}
    assert all(90 <= times <= 99 for times in held.values()), held
