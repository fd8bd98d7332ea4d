"""An error in what a person wrote: two lines, of which the first names the place and the thing."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support import clean_environment, run
from tests.template.conftest import PACKAGE, python, serving

DATA, TRAIN = "data.py", "train.py"
RELOAD = "\n_load = load\n\n\ndef load():\n    table = _load()\n"


@dataclass(frozen=True)
class Case:
    """What a person writes at the end of a file, and what the first program to meet it says."""

    text: str
    cause: str  # regular expressions, of the whole line
    remedy: str
    file: str = DATA
    programs: tuple[str, ...] = ("golden", "train")
    settings: str = field(default="")


def reload(rest: str, cause: str, remedy: str = r"correct load\(\) or SCHEMA in data\.py") -> Case:
    return Case(RELOAD + rest, cause, remedy)


def at(file: str, said: str) -> str:
    return rf"src/{PACKAGE}/{file}\.py:\d+: {said}"


DEBUG = "; OPS_DEBUG=1 shows the whole traceback"
LOAD = rf"correct load\(\) in data\.py{DEBUG}"
CASES = {
    "a syntax error": Case("\nx = (1\n", at("data", r"SyntaxError: '\(' was .*  \(x = \(1\)"),
        rf"correct data\.py{DEBUG}"),
    "a library that is not there": Case("\nimport seabornn\n",
        at("data", r"ModuleNotFoundError: No module named 'seabornn'  \(import seabornn\)"),
        r"uv add --group training seabornn, or .*"),
    "a column that pandas lacks": reload("    return table.assign(x=table['fare'])\n",
        at("data", r"KeyError: 'fare'  \(return table.assign\(x=table\['fare'\]\)\)"), LOAD),
    "a file that is not there": reload("    return pd.read_csv('data/none.csv')\n",
        at("data", r"FileNotFoundError: .*'data/none.csv'  \(.*\)"), LOAD),
    "exit": reload("    raise SystemExit(0)\n",
        at("data", r"SystemExit: 0  \(raise SystemExit\(0\)\)"), LOAD),
    "an error of a person's own, as long as a book": reload(
        "    raise ValueError('so long\\n' * 200_000)\n",
        at("data", r"ValueError: (so long ){30,40}.{0,10}\.\.\.  \(.{,100}\)"), LOAD),
    "nothing": reload("    return None\n", r"load\(\) returns a NoneType, no pandas.DataFrame"),
    "a list": reload("    return [1]\n", r"load\(\) returns a list, no pandas.DataFrame"),
    "no rows": reload("    return table.head(0)\n", r"load\(\) returns 0 rows, .* 20"),
    "5 rows": reload("    return table.head(5)\n", r"load\(\) returns 5 rows, .* 20"),
    "no target": reload("    return table.drop(columns='diagnosis')\n",
        r"load\(\) returns 0 columns 'diagnosis' where one is due: mean_radius, .*"),
    "a column that is missing": reload("    return table.drop(columns='mean_area')\n",
        r"load\(\) returns 0 columns 'mean_area' where one is due: mean_radius, .*"),
    "a column twice": reload("    return pd.concat([table, table[['mean_area']]], axis=1)\n",
        r"load\(\) returns 2 columns 'mean_area' where one is due: .*"),
    "columns with two levels": reload("    return pd.concat({'a': table}, axis=1)\n",
        r"load\(\) returns 0 columns 'mean_radius' where one is due: \('a', 'mean_radius'\), .*"),
    "equal rows": Case(RELOAD + "    best = table.iloc[[0] * 400].reset_index(drop=True)\n"
        "    best.loc[:200, 'diagnosis'] = 'benign'\n    return best\n",
        r"(0|400) of 400 rows would be golden: too many are equal, or of one group",
        r"see load\(\) and SPLIT in data\.py", programs=("golden",)),
    "one class": reload("    return table[table['diagnosis'] == 'benign']\n",
        "every row has the same diagnosis: 'benign'"),
    "a target with a gap": reload("    table.loc[3, 'diagnosis'] = None\n    return table\n",
        r"row 3: diagnosis is (nan|None), none of the classes \('benign', 'malignant'\); so .*"),
    "a class that SCHEMA lacks": reload("    table.loc[7, 'diagnosis'] = 'odd'\n    return table\n",
        r"row 7: diagnosis is 'odd', none of the classes .*; so are 1 of 569 rows"),
    "numbers for classes": reload(
        "    return table.assign(diagnosis=(table['diagnosis'] == 'benign').astype(int))\n",
        r"row 0: diagnosis is 0, none of the classes .*; so are 569 of 569 rows"),
    "a value out of its range": reload("    table.loc[2, 'mean_area'] = -1\n    return table\n",
        r"row 2: mean_area must be a number from 10 to 8000"),
    "a slice of a column that is not there": Case(
        "\nSLICES['old'] = lambda table: table['age'] > 60\n",
        at("data", r"KeyError: 'age'  \(SLICES.*\)"), rf"correct data\.py{DEBUG}",
        programs=("train",)),
    "a slice of another length": Case("\nSLICES['old'] = lambda table: [True, False]\n",
        r"the slice 'old' chooses from \(2,\) rows of \d+", r"give one .*: SLICES in data\.py",
        programs=("train",)),
    "features of a column that is not there": Case(
        "\n\ndef features(columns):\n    return {'x': columns['age']}\n",
        at("features", r"KeyError: 'age'  \(return \{'x': columns\['age'\]\}\)"),
        r"correct features\(\) in features\.py", "features.py", ("train", "gate")),
    "features that are a list": Case("\n\ndef features(columns):\n    return [1]\n",
        r"features\(\) makes of all a list of \d+ rows",
        r"return a dict of numpy columns: features\(\) in features\.py", "features.py"
        , ("train", "gate")),
    "features that lose rows": Case(
        "\n\ndef features(columns):\n    return {n: c[1:] for n, c in columns.items()}\n",
        r"features\(\) makes mean_radius a ndarray \(\d+,\) of \d+ rows",
        r"return a dict of numpy columns: features\(\) in features\.py", "features.py"
        , ("train", "gate")),
    "a fit that fails": Case(
        "\n\ndef estimator(seed):\n    return LogisticRegression(C=-1)\n",
        at("train", r"InvalidParameterError: The 'C' parameter .*  \(return estimator.*\)"),
        rf"correct fit\(\) in train\.py{DEBUG}", TRAIN, ("train",)),
    "an estimator that is misspelled": Case(
        "\n\ndef estimator(seed):\n    return LogisticRegresion()\n",
        at("train", r"NameError: name 'LogisticRegresion' is .*  \(return LogisticRegresion\(\)\)"),
        rf"correct estimator\(\) in train\.py{DEBUG}", TRAIN, ("train",)),
    "a fit that diverges": Case(
        "\n\ndef predict(fitted, table):\n    return np.full((len(table), 2), np.nan)\n",
        r"the fitted model answers \d+ of \d+ rows with no finite number",
        r"see estimator\(\), fit\(\) and predict\(\) in train\.py", TRAIN, ("train",)),
    "a model that is no ONNX": Case(
        "\n\ndef to_onnx(fitted, table):\n    raise RuntimeError('no converter ' * 100_000)\n",
        at("train", r"RuntimeError: (no converter ){20}.*\.\.\.  \(.*\)"),
        rf"correct to_onnx\(\) in train\.py{DEBUG}", TRAIN, ("train",)),
    "a metric that fails": Case("def cost(rows, said):\n    return rows['euros'].sum()\n",
        at("judging", r"KeyError: 'euros'  \(return rows\['euros'\].sum\(\)\)"),
        rf"correct cost\(\) in judging\.py{DEBUG}", "judging.py", ("train", "gate"),
        'metric = "judging:cost"'),
    "a metric that is not there": Case("", r"metric = 'judging:cost': No module named .*",
        r"see \[tool\.mlops\.gate\] in pyproject\.toml", DATA, ("train", "gate"),
        'metric = "judging:cost"'),
    "a native.py that fails": Case(
        "def load(files):\n    return {}['booster']\n",
        r"native\.py cannot load model\.txt: " + at("native", r"KeyError: 'booster'  \(.*\)"),
        r"see load\(\) in native\.py", "native.py", ("train",)),
}  # fmt: skip
NO_ONNX = "\n\ndef export(fitted, table):\n    return {'model.txt': b''}\n"


@pytest.fixture(scope="module")
def said(
    project: Path, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], tuple[int, str, str]]:
    """What each program says in each case."""
    runs = {}
    for number, (name, case) in enumerate(CASES.items()):
        folder = tmp_path_factory.mktemp(f"case{number}")
        write(project, model, folder, case)
        runs |= {(name, program): (str(folder), program) for program in case.programs}
    argv = [str(python(project)), str(Path(__file__).with_name("errors.py")), PACKAGE]
    done = subprocess.run(
        argv,
        input=json.dumps([*runs.values()]),
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=300,
        check=True,
    )
    return dict(zip(runs, map(tuple, json.loads(done.stdout)), strict=True))


def write(project: Path, model: Path, folder: Path, case: Case) -> None:
    """A project that works, but for a case."""
    for name in ("src", "data"):
        shutil.copytree(project / name, folder / name, ignore=shutil.ignore_patterns("artifacts"))
    package = folder / "src" / PACKAGE
    shutil.copytree(model, package / "artifacts")
    text = (project / "pyproject.toml").read_text()
    table = "[tool.mlops.gate]\n"
    (folder / "pyproject.toml").write_text(text.replace(table, f"{table}{case.settings}\n"))
    if case.text:
        path = package / case.file
        source = path.read_text() if path.exists() else ""
        if case.file == TRAIN:  # before main() is called
            source, end, rest = source.partition('\n\nif __name__ == "__main__":')
            path.write_text(source + case.text + end + rest)
        else:
            path.write_text(source + case.text)
    if case.file == "native.py":
        write_train = Case(NO_ONNX, "", "", TRAIN)
        source, end, rest = (package / TRAIN).read_text().partition('\n\nif __name__ == "')
        (package / TRAIN).write_text(source + write_train.text + end + rest)


@pytest.mark.parametrize("name", CASES)
def test_two_lines_name_the_place_the_cause_and_what_to_do(
    said: dict[tuple[str, str], tuple[int, str, str]], name: str
) -> None:
    case = CASES[name]
    for program in case.programs:
        code, out, err = said[name, program]
        assert code == (2 if program == "gate" else 1), (out, err)
        assert out == ""
        cause, remedy = err.splitlines()
        assert re.fullmatch(f"error: {case.cause}", cause), cause
        assert re.fullmatch(f"  try: {case.remedy}", remedy), remedy
        assert "make golden" not in remedy
        assert len(err) < 800


def test_the_whole_traceback_is_shown_to_whoever_asks_for_it(
    project: Path, model: Path, tmp_path: Path
) -> None:
    write(project, model, tmp_path, CASES["a fit that fails"])
    env = {"PYTHONPATH": str(tmp_path / "src"), "OPS_DEBUG": "1"}
    done = run(python(project), "-m", f"{PACKAGE}.train", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert "site-packages/sklearn" in done.stderr
    assert done.stderr.splitlines()[-2].startswith("error: src/")


WARNS = """

def fit(table, target, seed):
    import warnings
    for number in range(500):
        warnings.warn_explicit("it did not converge " * 500, UserWarning, "x.py", number)
    return estimator(seed).fit(table, target.astype(int))
"""


def test_a_library_that_warns_500_times_is_heard_once(
    project: Path, model: Path, tmp_path: Path
) -> None:
    write(project, model, tmp_path, Case(WARNS, "", "", TRAIN))
    env = {"PYTHONPATH": str(tmp_path / "src")}
    done = run(python(project), "-m", f"{PACKAGE}.train", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"warning: UserWarning: (it did not converge )+.*\.\.\.\n", done.stderr)
    assert len(done.stderr) < 400


RARE = """

def features(columns):
    if (columns["mean_area"] == 4321).any():
        raise ValueError("a secret of ours")
    return columns
"""


def test_what_only_one_row_meets_is_a_line_in_the_log_and_tells_a_client_nothing(
    project: Path, model: Path, row: dict[str, object], tmp_path: Path
) -> None:
    write(project, model, tmp_path, Case(RARE, "", "", "features.py"))
    artifacts, path = tmp_path / f"src/{PACKAGE}/artifacts", f"{tmp_path / 'src'}"
    with serving(project, artifacts, tmp_path / "log", PYTHONPATH=path) as server:
        assert httpx.post(f"{server.url}/predict", json=row).status_code == 200
        bad = row | {"mean_area": 4321}
        plain = httpx.post(f"{server.url}/predict", json=bad)
        tensor = {"name": "features", "datatype": "FP64", "shape": [1, 10]}
        tensors = {"inputs": [tensor | {"data": [*bad.values()]}]}
        named = httpx.post(f"{server.url}/v2/models/churn-model/infer", json=tensors)
        assert httpx.post(f"{server.url}/predict", json=row).status_code == 200
    assert (plain.status_code, named.status_code) == (500, 500)
    assert plain.json() == {"detail": "the model cannot answer this"}
    assert named.json() == {"error": "the model cannot answer this"}
    log = [json.loads(line) for line in server.log.read_text().splitlines() if line[0] == "{"]
    errors = [line for line in log if "secret" in json.dumps(line)]
    assert len(errors) == 2
    for error in errors:
        assert error["level"] == "error"
        assert f"{PACKAGE}/features.py:" in error["message"]
        assert "ValueError: a secret of ours" in error["message"]
    assert "Traceback" not in server.log.read_text()


def test_a_features_py_that_fails_on_the_example_serves_nothing(
    project: Path, model: Path, tmp_path: Path
) -> None:
    write(project, model, tmp_path, CASES["features of a column that is not there"])
    artifacts, path = tmp_path / f"src/{PACKAGE}/artifacts", f"{tmp_path / 'src'}"
    words = ("-m", f"{PACKAGE}.serve", "--model", artifacts)
    done = run(python(project), *words, cwd=tmp_path, env={"PYTHONPATH": path})
    assert (done.returncode, done.stdout) == (1, "")
    cause, remedy = done.stderr.splitlines()
    assert re.fullmatch(f"error: {at('features', 'KeyError: .age.  .*')}", cause)
    assert remedy == "  try: correct features() in features.py"


def test_golden_rows_that_another_schema_breaks_are_the_ones_to_draw_anew(
    project: Path, model: Path, tmp_path: Path
) -> None:
    write(project, model, tmp_path, Case("", "", ""))
    golden = tmp_path / "data/golden.csv"
    golden.write_text(golden.read_text().replace("benign", "odd"))
    for program, code in {"train": 1, "gate": 2}.items():
        env = {"PYTHONPATH": str(tmp_path / "src")}
        done = run(python(project), "-m", f"{PACKAGE}.{program}", cwd=tmp_path, env=env)
        cause, remedy = done.stderr.splitlines()
        assert done.returncode == code
        assert cause.startswith("error: data/golden.csv: row ") and "'odd'" in cause
        assert remedy.endswith("make golden train")
