"""A table as people have them, with gaps, texts, booleans and times, from training to the server.

Judged from outside: what a client gets for rows that this file reads and writes by itself.
"""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton  # type: ignore[import-untyped]

from tests.support import last_known_day, sh
from tests.template import makeityours
from tests.template.conftest import PACKAGE, Server, python, serving

HERE = Path(__file__).parent / "flights"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def flights(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of flights, trained and accepted by the gate."""
    folder = tmp_path_factory.mktemp("flights") / "churn-model"
    sh("git", "clone", "-q", project, folder)
    (folder / ".venv").symlink_to(project / ".venv")
    source = folder / "src" / PACKAGE
    for name in ("data.py", "features.py"):
        (source / name).write_text((HERE / name).read_text())
    train = source / "train.py"
    train.write_text(makeityours.merged(train.read_text(), (HERE / "train.txt").read_text()))
    for step in ("golden", "train", "gate"):
        do(folder, "-m", f"{PACKAGE}.{step}")
    return folder


@pytest.fixture(scope="module")
def server(flights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = {"PYTHONPATH": f"{flights / 'src'}"}
    model = flights / "src" / PACKAGE / "artifacts"
    with serving(flights, model, tmp_path_factory.mktemp("log") / "log", **path) as server:
        yield server


def do(flights: Path, *words: str) -> str:
    """Run the flights' own code with the environment of the project that they were cloned from."""
    return sh(python(flights), *words, cwd=flights, env={"PYTHONPATH": f"{flights / 'src'}"})


@pytest.fixture(scope="module")
def golden(flights: Path) -> list[Row]:
    """The golden rows as a client would write them, the target with them."""
    with (flights / "data/golden.csv").open() as file:
        return [
            {
                "distance": float(row["distance"]),
                "wind": float(row["wind"]) if row["wind"] else None,
                "seats": int(float(row["seats"])) if row["seats"] else None,
                "carrier": row["carrier"] or None,
                "weekend": row["weekend"] == "True",
                "full": {"True": True, "False": False, "": None}[row["full"]],
                "departure": row["departure"],
                "note": row["note"] or None,
                "late": row["late"],
            }
            for row in csv.DictReader(file)
        ]


def features(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "late"}


def ask(server: Server, rows: Row | list[Row]) -> httpx.Response:
    return httpx.post(f"{server.url}/predict", content=json.dumps(rows))


def shares(server: Server, row: Row) -> dict[str, float]:
    """The probabilities that a client gets for one row."""
    answer = ask(server, row)
    assert answer.status_code == 200, answer.text
    found: dict[str, float] = answer.json()["probabilities"]
    return found


def test_the_gates_figures_are_those_of_what_a_client_gets(
    flights: Path, server: Server, golden: list[Row]
) -> None:
    report = json.loads((flights / ".state/gate/report.json").read_text())
    answers = ask(server, [features(row) for row in golden]).json()
    truth = [row["late"] for row in golden]
    pairs = list(zip(answers, truth, strict=True))
    hits = sum(answer["prediction"] == true for answer, true in pairs)
    assert report["slices"]["all"]["value"] == pytest.approx(hits / len(golden))
    error = sum((p - (n == true)) ** 2 for a, true in pairs for n, p in a["probabilities"].items())
    constant = {name: truth.count(name) / len(truth) for name in ("no", "yes")}
    least = sum((p - (name == true)) ** 2 for true in truth for name, p in constant.items())
    assert report["slices"]["all"]["score"] == pytest.approx(1 - error / least)
    assert report["slices"]["no wind known"]["rows"] == sum(r["wind"] is None for r in golden) > 30


def test_a_row_alone_gets_what_it_gets_among_others(server: Server, golden: list[Row]) -> None:
    rows = [features(row) for row in golden[:60]]
    together = ask(server, rows).json()
    for row, answer in zip(rows, together, strict=True):
        assert shares(server, row) == pytest.approx(answer["probabilities"], abs=1e-6)


@pytest.mark.parametrize("name", ["wind", "seats", "carrier", "full", "note"])
def test_a_gap_is_null_or_left_out(server: Server, golden: list[Row], name: str) -> None:
    row = features(golden[0])
    null = shares(server, row | {name: None})
    absent = shares(server, {key: value for key, value in row.items() if key != name})
    assert null == absent


WRONG: list[tuple[str, object]] = [
    ("distance", None), ("distance", float("nan")), ("distance", True), ("distance", "7"),
    ("wind", float("nan")), ("wind", 151), ("wind", ""), ("seats", 1.5), ("seats", 2**53 + 2),
    ("carrier", 7), ("weekend", 1), ("weekend", None), ("weekend", "yes"), ("full", 0),
    ("departure", None), ("departure", "2024-02-30T12:00:00Z"), ("departure", "2024-02-29T12:00"),
    ("departure", 1709208000), ("departure", "0001-01-01T00:00:00+23:59"), ("note", "x" * 61),
    ("note", ["x"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_no_value_can_be_is_refused_by_row_and_field(
    server: Server, golden: list[Row], name: str, value: object
) -> None:
    row = features(golden[0])
    for before in (1, 99):  # few rows are read one by one, and many a column at a time
        answer = ask(server, [*[row] * before, row | {name: value}])
        assert answer.status_code == 422
        assert [(p["row"], p["field"]) for p in answer.json()["detail"]] == [(before, name)]


def test_a_field_that_has_to_be_there_is_missing(server: Server, golden: list[Row]) -> None:
    row = {name: value for name, value in features(golden[0]).items() if name != "weekend"}
    [problem] = ask(server, row).json()["detail"]
    assert (problem["field"], problem["message"]) == ("weekend", "is missing")


def test_unseen_categories_are_all_one(server: Server, golden: list[Row]) -> None:
    row = features(golden[0])
    unseen = [shares(server, row | {"carrier": name}) for name in ("DL", "ZZ", "ünseen", "other")]
    assert all(one == unseen[0] for one in unseen)
    assert shares(server, row | {"carrier": "UA"}) != unseen[0]


def test_the_same_moment_is_the_same_whatever_its_offset(server: Server, golden: list[Row]) -> None:
    row = features(golden[0])
    for moments in (
        ("2024-02-29T23:30:00Z", "2024-03-01T00:30:00+01:00", "2024-02-29T18:30:00-05:00"),
        ("2024-10-27T02:30:00+02:00", "2024-10-27T01:30:00+01:00"),  # the hour that comes twice
    ):
        said = [shares(server, row | {"departure": moment}) for moment in moments]
        assert all(one == said[0] for one in said)
    other = shares(server, row | {"departure": "2024-10-27T02:30:00+01:00"})
    assert other != said[0]


def test_no_row_of_the_table_is_trained_on_that_is_golden_gaps_and_duplicates_included(
    flights: Path, golden: list[Row]
) -> None:
    code = (
        f"import json; from {PACKAGE} import golden, data; table = data.load();"
        "rows = golden.training_rows(table, golden.read());"
        "print(json.dumps([golden.features(rows), golden.features(table)]))"
    )
    trained, table = json.loads(do(flights, "-c", code))
    key = [json.dumps(features(row), sort_keys=True) for row in golden]
    left = [json.dumps(row, sort_keys=True) for row in trained]
    assert not {*key} & {*left}
    assert len(key) + len(left) == len(table) == 2200
    assert len({*key}) < len(key)  # both of two equal rows are golden
    assert any(row["wind"] is None for row in golden)


def test_whole_numbers_are_exact_to_2_to_the_53(flights: Path) -> None:
    code = (
        f"from {PACKAGE}.schema import *;"
        "s = Schema((Whole('n', '', 0, 2**53), Whole('m', '', 0, 2**53, missing=True)), 't');"
        "rows = [{'n': 16777217, 'm': None}, {'n': 2**53 - 1, 'm': 2**53}];"
        "print(s.decode(s.encode(rows)) == rows, s.encode(rows)['n'].tolist())"
    )
    assert do(flights, "-c", code) == "True [16777217.0, 9007199254740991.0]\n"


def test_the_documentation_says_what_may_be_null(server: Server) -> None:
    paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    body = paths["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    row = body["anyOf"][0]
    assert row["required"] == ["distance", "weekend", "departure"]
    assert {"type": "null"} in row["properties"]["carrier"]["anyOf"]
    assert row["properties"]["departure"]["format"] == "date-time"


KINDS = {"distance": "FP64", "wind": "FP64", "seats": "INT64", "weekend": "BOOL", "full": "BOOL"}
TYPES: dict[str, Any] = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": object}


@pytest.mark.parametrize("binary", [True, False])
def test_each_feature_may_be_a_tensor_of_its_own(
    server: Server, golden: list[Row], binary: bool
) -> None:
    rows = [features(row) for row in golden]
    rows = [row for row in rows if None not in (row["seats"], row["full"])][:20]
    tensors = []
    for name in rows[0]:
        kind = KINDS.get(name, "BYTES")
        empty = "" if kind == "BYTES" else np.nan  # what a gap is in bytes
        values = [empty if row[name] is None else row[name] for row in rows]
        column = np.array(values, TYPES[kind]).reshape(-1, 1)
        tensors.append(triton.InferInput(name, list(column.shape), kind))
        if kind == "FP64" and not binary:
            continue  # NaN is no JSON; the next test sends null
        tensors[-1].set_data_from_numpy(column, binary_data=binary)
    if not binary:
        wind = next(tensor for tensor in tensors if tensor.name() == "wind")
        tensors = [tensor for tensor in tensors if tensor is not wind]
        for tensor in tensors:
            if tensor.name() == "distance":
                far = np.array([[row["distance"]] for row in rows])
                tensor.set_data_from_numpy(far, binary_data=False)
        rows = [row | {"wind": None} for row in rows]
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        said = client.infer("churn-model", tensors).as_numpy("probabilities")
        metadata = client.get_model_metadata("churn-model")
    named = [list(answer["probabilities"].values()) for answer in ask(server, rows).json()]
    assert said.tolist() == [pytest.approx(row, abs=1e-6) for row in named]
    assert [entry["name"] for entry in metadata["inputs"]] == [*rows[0]]


def test_null_in_a_tensor_is_a_gap_and_a_fault_is_named(server: Server, golden: list[Row]) -> None:
    row = features(golden[0]) | {"wind": None, "seats": None, "full": None, "note": None}

    def infer(**changed: object) -> httpx.Response:
        told = row | changed
        inputs = [
            {"name": name, "datatype": KINDS.get(name, "BYTES"), "shape": [1], "data": [value]}
            for name, value in told.items()
        ]
        return httpx.post(f"{server.url}/v2/models/churn-model/infer", json={"inputs": inputs})

    answer = infer()
    assert answer.status_code == 200, answer.text
    data = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert data["probabilities"] == pytest.approx([*shares(server, row).values()], abs=1e-6)
    wrong = infer(departure="noon")
    assert (wrong.status_code, "row 0: departure must be" in wrong.text) == (400, True)
    assert infer(weekend=None).status_code == 400
    assert "not 'extra'" in infer(extra="x").json()["error"]


SPLITS = """
import json, sys
import numpy as np, pandas as pd
from {package} import data, golden, gate, model, train
from {package}.schema import Number, Schema

def table(days):
    chance = np.random.default_rng(0)
    rows = [(day, patient) for day in range(days) for patient in range(50)]
    frame = pd.DataFrame(rows, columns=["day", "patient"])
    coin = frame["{alike}"] * 2654435761 // 2**16 % 2  # nothing that one day tells of the next, or one patient of another
    told = {{"{alike}": frame["{alike}"], "noise": chance.normal(size=len(frame))}}
    named = {{"target": np.where(coin == 1, "heads", "tails")}}
    # Two that no model sees: a name that looks like a number, and a time with and without fractions.
    named["ward"] = frame["{alike}"].map("{{:03}}".format)
    fractions = pd.to_timedelta(frame["patient"] % 2, unit="us")
    named["bed"] = frame["{alike}"]
    named["when"] = pd.Timestamp("2024-03-30", tz="Europe/Berlin") + fractions
    named["when"] += pd.to_timedelta(frame["{alike}"], unit="D")
    return pd.DataFrame({{**told, **named}})

whole = table(60)
drawn = golden.draw(whole)
golden.write(drawn)
held, rows = golden.read(), golden.training_rows(whole, golden.read())
kept = golden.draw(table(80))
files, facts = train.train(whole, held, 0)
found = gate.answered(model.Model(files, facts), held)
print(json.dumps({{
    "golden": held["{alike}"].tolist(), "trained": rows["{alike}"].tolist(),
    "accuracy": gate.measure(found, gate.metric_of(data.SCHEMA, gate.limits_of()))["all"].value,
    "grown": len(set(drawn.index) - set(kept.index)), "rows": len(drawn),
    "held back": int((~golden.SPLIT.apart(whole, held)).sum()) if golden.SPLIT.column else 0,
}}))
"""


@pytest.mark.parametrize(
    ("split", "alike"),
    [
        ("random()", "day"),
        ("by_time('day')", "day"),
        ("by_time('when')", "day"),
        ("by_group('patient')", "patient"),
        ("by_group('ward')", "patient"),
        ("by_group('bed')", "patient"),
    ],
)
def test_a_split_tells_a_model_that_remembers_from_one_that_knows(
    project: Path, tmp_path: Path, split: str, alike: str
) -> None:
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", project, clone)
    (clone / ".venv").symlink_to(project / ".venv")
    source = clone / "src" / PACKAGE
    (source / "data.py").write_text(
        "from .schema import Number, Schema\nfrom .split import *\n"
        f"SCHEMA = Schema((Number('{alike}', '', 0, 99), Number('noise', '', -9, 9)), 'target',"
        f" ('heads', 'tails'))\nSPLIT = {split}\nSLICES = {{}}\ndef load(): ...\n"
    )
    train = source / "train.py"
    text = train.read_text().replace(
        "from sklearn.linear_model import LogisticRegression",
        "from sklearn.ensemble import RandomForestClassifier",
    )
    fitted = "make_pipeline(StandardScaler(), LogisticRegression(random_state=seed))"
    train.write_text(text.replace(fitted, "RandomForestClassifier(random_state=seed)"))
    told = json.loads(do(clone, "-c", SPLITS.format(package=PACKAGE, alike=alike)))
    assert 300 < told["rows"] < 700
    if split == "random()":
        assert told["accuracy"] > 0.85  # it has seen the same day, and remembers
        assert told["grown"] == 0
    else:
        assert told["accuracy"] < 0.8
        assert told["held back"] >= told["rows"]
        assert not {*told["golden"]} & {*told["trained"]}
    if "time" in split:
        assert max(told["trained"]) < min(told["golden"])


BEFORE = '''"""A table as it was declared in 0.3.0."""

import pandas as pd
from sklearn.datasets import load_diabetes

from .schema import Feature, Schema

SCHEMA = Schema(
    target="progression",
    features=(
        Feature("age", "in years", 0, 120, whole=True),
        Feature("sex", "as coded in the table", categories=("1", "2")),
        Feature("bmi", "body mass index, kg/m2", 10, 80),
    ),
)
SLICES = {"sex 1": lambda table: table["sex"] == "1"}


def load() -> pd.DataFrame:
    bunch = load_diabetes(as_frame=True, scaled=False)
    table = pd.DataFrame(bunch.data)[["age", "sex", "bmi"]].astype({"age": int, "sex": int})
    return table.assign(sex=table["sex"].astype(str), progression=bunch.target)
'''


def test_a_table_that_was_declared_before_there_were_kinds_goes_on_working(
    clone: Path, tmp_path: Path
) -> None:
    source = clone / "src" / PACKAGE
    (source / "data.py").write_text(BEFORE)
    train = source / "train.py"
    text = train.read_text().replace("import LogisticRegression", "import Ridge")
    train.write_text(text.replace("LogisticRegression(", "Ridge("))
    for step in ("golden", "train", "gate"):
        do(clone, "-m", f"{PACKAGE}.{step}")
    path = {"PYTHONPATH": f"{clone / 'src'}"}
    with serving(clone, source / "artifacts", tmp_path / "log", **path) as server:
        row = {"age": 59, "sex": "2", "bmi": 32.1}
        answer = ask(server, row)
        assert 100 < answer.json()["prediction"] < 300
        told = {"name": "features", "datatype": "FP32", "shape": [1, 3], "data": [59, 1, 32.1]}
        coded = httpx.post(f"{server.url}/v2/models/churn-model/infer", json={"inputs": [told]})
        [output] = coded.json()["outputs"]
        assert output["data"] == [pytest.approx(answer.json()["prediction"], rel=1e-6)]
        assert ask(server, row | {"sex": "3"}).status_code == 422


@pytest.fixture(scope="module")
def mlserver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with MLServer, which wants older libraries than a project."""
    python = tmp_path_factory.mktemp("mlserver") / "bin/python"
    free = {"UV_CONSTRAINT": "", "UV_BUILD_CONSTRAINT": ""} | last_known_day()
    sh("uv", "venv", "-q", "--python", sys.executable, python.parent.parent)
    wanted = ("mlserver==1.7.1", "pandas<3")
    sh("uv", "pip", "install", "-q", "--python", python, *wanted, env=free)
    return python


@pytest.mark.parametrize("objects", [[], ["weekend", "full", "seats"]])
def test_mlservers_own_types_get_the_answers_that_named_fields_get(
    server: Server, golden: list[Row], mlserver: Path, objects: list[str]
) -> None:
    rows = [features(row) for row in golden]
    rows = [row for row in rows if None not in (row["seats"], row["full"])][:20]
    assert any(row["wind"] is None for row in rows)
    assert any(row["carrier"] is None for row in rows)
    url = f"{server.url}/v2/models/churn-model/infer"
    done = subprocess.run(
        [mlserver, HERE.with_name("mlserver_client.py"), url, *objects],
        input=json.dumps(rows), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sent"] == {
        name: "BYTES" if name in objects else KINDS.get(name, "BYTES") for name in rows[0]
    }
    named = ask(server, rows).json()
    assert [("no", "yes")[code] for code in told["labels"]] == [a["prediction"] for a in named]
    assert told["shape"] == [20, 2]
    shares = [share for answer in named for share in answer["probabilities"].values()]
    assert told["probabilities"] == pytest.approx(shares, abs=1e-6)


KINDS_OF_OLD = """
import numpy as np, pandas as pd
from {package} import golden
from {package}.schema import *

golden.SCHEMA = Schema((
    Number('n', '', -9, 9, missing=True), Whole('w', '', 0, 2**53, missing=True),
    Feature('k', '', categories=('1', '2'), missing=True), Boolean('b'),
    Category('c', '', ('a', 'b'), other=True, missing=True), Boolean('g', missing=True),
    Timestamp('t', missing=True), Text('x', longest=9, missing=True), Vector('v', length=2),
), 'y')
times = '2024-03-01T00:30:00+01:00', None, '2024-02-29T23:30:00Z', '1969-12-31T23:59:59.5Z', ''
table = pd.DataFrame({{
    'n': [0.5, -0.0, 0.0, np.nan, 3], 'w': [1, None, 2, 3, 2**53], 'k': ['1', None, '2', '2', '1'],
    'b': [True, False, True, False, True], 'c': ['a', 'b', None, 'zz', ''],
    'g': [True, None, False, True, np.nan], 't': times, 'x': ['', 'one', None, "it's", 'one'],
    'v': [[1, 2.5], (0.5, 1), np.array([1, 2]), [0, 0], [0, -1]], 'y': [1, 2, 3, 4, 5.5],
}})
for one in (table, table.astype(object), table.iloc[::-1].convert_dtypes()):
    print(golden.fingerprint(one))
"""


def test_a_table_has_the_fingerprint_that_it_had_whatever_its_types(flights: Path) -> None:
    """Champions and golden rows hang on it, so it is as it was in the first version with kinds."""
    told = do(flights, "-c", KINDS_OF_OLD.format(package=PACKAGE))
    assert {*told.split()} == {"9ed7c1a88a475f32d6c0d2b3776d7ba511a9498145e941d9a0e01d3a41578855"}
