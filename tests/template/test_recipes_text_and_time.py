"""docs/recipes-text-and-time.md, followed word for word: each recipe is trained, accepted, served.

Judged from outside: what a client gets for the golden rows, by figures that are worked out here.
"""

import ast
import csv
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support import IDENTITY, ROOT, run, sh
from tests.template.conftest import PACKAGE, Server, python, serving

PAGE = (ROOT / "docs" / "recipes-text-and-time.md").read_text("utf-8")
RECIPES = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])
TFIDF, EMBEDDINGS, TORCH, LAGS, RANGE = RECIPES
Row = dict[str, str]


def merged(source: str, block: str) -> str:
    """The source with what the block defines: in the place of a namesake, else before all others.

    Imports come to the others, and names that are set behind them; ruff sorts what is unsorted.
    """
    lines = source.splitlines(keepends=True)
    old = {_name(node): node for node in ast.parse(source).body if _name(node)}
    imports = [n for n in ast.parse(source).body if isinstance(n, ast.Import | ast.ImportFrom)]
    behind = imports[-1].end_lineno or 0
    edits: list[tuple[int, int, str]] = []
    for node in ast.parse(block).body:
        new = ast.get_source_segment(block, node) or ""
        if _name(node) in old:
            place = old[_name(node)]
            edits.append((place.lineno - 1, place.end_lineno or 0, f"{new}\n"))
        else:
            edits.append((behind, behind, f"{new}\n"))
    last = [edit for edit in edits if edit[0] == behind]
    others = sorted((edit for edit in edits if edit[0] != behind), reverse=True)
    for start, end, new in [*others, *last[::-1]]:  # the last place first
        lines[start:end] = [new]
    return "".join(lines)


def _name(node: ast.stmt) -> str:
    return str(getattr(node, "name", ""))


def set_in(source: str, block: str) -> str:
    """Settings with a table of the block in the place of its namesake, or at the end."""
    for table in re.split(r"\n(?=\[)", block):
        head, text = re.escape(table.splitlines()[0]), f"{table.strip()}\n\n"
        source, found = re.subn(rf"(?ms)^{head}\n.*?(?=^\[)", text.replace("\\", r"\\"), source)
        source += "" if found else f"\n{table.strip()}\n"
    return source


@dataclass(frozen=True)
class Made:
    """A project that a recipe was followed in, and what its gate says."""

    folder: Path

    @property
    def artifacts(self) -> Path:
        return self.folder / "src" / PACKAGE / "artifacts"

    @property
    def report(self) -> Any:
        return json.loads((self.folder / ".state/gate/report.json").read_text())

    @property
    def golden(self) -> list[Row]:
        with (self.folder / "data/golden.csv").open() as file:
            return list(csv.DictReader(file))

    def do(self, *words: str, **more: str) -> str:
        path = {"PYTHONPATH": str(self.folder / "src")}
        return sh(python(self.folder), *words, cwd=self.folder, env=path | more)


def libraries(project: Path, folder: Path, *recipes: str) -> Path:
    """A project with the libraries that some recipes say."""
    sh("git", "clone", "-q", project, folder)
    commands = [c for name in recipes for c in re.findall(r"uv add [^`#\n]+", RECIPES[name])]
    for command in dict.fromkeys(command.strip() for command in commands):
        sh(*command.split(), cwd=folder)
    sh("uv", "sync", "--locked", "--quiet", cwd=folder)
    return folder


def followed(base: Path, folder: Path, *recipes: str, settings: str = "mlops") -> Made:
    """A project with the blocks of some recipes, of `base` its libraries; trained and accepted."""
    sh("git", "clone", "-q", base, folder)
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(base / name, folder / name)
    (folder / ".venv").symlink_to(base / ".venv")
    text = "".join(RECIPES[name] for name in recipes)
    for path, block in re.findall(r"```python\n# (\S+)\n(.*?)```", text, flags=re.DOTALL):
        file = folder / path
        is_whole = ast.get_docstring(ast.parse(block)) is not None
        file.write_text(block if is_whole else merged(file.read_text(), block))
    for block in re.findall(r"```toml\n# pyproject.toml\n(.*?)```", text, flags=re.DOTALL):
        if settings in block:
            file = folder / "pyproject.toml"
            file.write_text(set_in(file.read_text(), block))
    made = Made(folder)
    made.do("-m", "ruff", "check", "--fix", "src")
    made.do("-m", "ruff", "format", "src")
    made.do("-m", f"{PACKAGE}.golden")
    sh("git", "add", "-A", cwd=folder)
    sh("git", "commit", "-q", "--no-verify", "-m", "A recipe", cwd=folder, env=IDENTITY)
    for step in ("train", "gate"):
        made.do("-m", f"{PACKAGE}.{step}")
    return made


@pytest.fixture(scope="module")
def base(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One environment for all recipes but PyTorch's."""
    folder = tmp_path_factory.mktemp("base") / "churn-model"
    return libraries(project, folder, TFIDF, EMBEDDINGS, LAGS, RANGE)


@pytest.fixture(scope="module")
def follow(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Follow some recipes, once in this file."""
    known: dict[tuple[str, ...], Made] = {}

    def once(*recipes: str) -> Made:
        if recipes not in known:
            folder = tmp_path_factory.mktemp("recipe") / "churn-model"
            known[recipes] = followed(base, folder, *recipes)
        return known[recipes]

    return once


@pytest.fixture
def embeddings(follow: Callable[..., Made]) -> Made:
    """The embeddings, with the table of the recipe before, as the page says."""
    table = RECIPES[TFIDF].split("```python\n# src/churn_model/train.py")[0]
    RECIPES["the table of texts"] = table
    return follow("the table of texts", EMBEDDINGS)


def served(made: Made, log: Path, names: list[str]) -> list[Any]:
    """What a client gets for the golden rows."""
    with serving(made.folder, made.artifacts, log, PYTHONPATH=f"{made.folder}/src") as server:
        return asked(server, made, names)


def asked(server: Server, made: Made, names: list[str]) -> list[Any]:
    rows = [{name: _value(row[name]) for name in names} for row in made.golden]
    answer = httpx.post(f"{server.url}/predict", content=json.dumps(rows))
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()
    return found


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def skill(truth: list[str], answers: list[Any]) -> float:
    """1 - the error of what a client got / that of the best constant answer."""
    names = sorted(answers[0]["probabilities"])
    actual = np.array([[name == true for name in names] for true in truth], float)
    said = np.array([[answer["probabilities"][name] for name in names] for answer in answers])
    constant = actual.mean(axis=0)
    return 1 - float(((said - actual) ** 2).sum() / ((constant - actual) ** 2).sum())


def score(made: Made) -> float:
    found: float = made.report["slices"]["all"]["score"]
    return found


def again(made: Made, **more: str) -> None:
    """Training once more gives the same bytes, whatever the hash seed."""
    before = {path.name: path.read_bytes() for path in made.artifacts.iterdir()}
    made.do("-m", f"{PACKAGE}.train", PYTHONHASHSEED="7", **more)
    assert {path.name: path.read_bytes() for path in made.artifacts.iterdir()} == before


def is_right(truth: list[str], answers: list[Any]) -> float:
    return float(np.mean([a["prediction"] == t for a, t in zip(answers, truth, strict=True)]))


def test_texts_by_tf_idf_are_judged_as_a_client_gets_them(
    follow: Callable[..., Made], tmp_path: Path
) -> None:
    made = follow(TFIDF)
    truth = [row["part"] for row in made.golden]
    answers = served(made, tmp_path / "log", ["sentence"])
    assert score(made) == pytest.approx(skill(truth, answers))
    assert is_right(truth, answers) > 0.85
    assert "stands_for" not in made.golden[0]
    assert [path.name for path in sorted(made.artifacts.iterdir())] == ["model.json", "model.onnx"]
    again(made)


HOLIDAYS = """
NAMES = {
    "linalg": "วันปีใหม่,วันสงกรานต์,วันแรงงาน,วันวิสาขบูชา,วันพ่อ,วันแม่",
    "signal": "عيد الفطر,عيد الأضحى,رأس السنة,عيد العمال,المولد النبوي,عاشوراء",
    "special": "元旦,春节,清明节,劳动节,端午节,中秋节",
    "stats": "Новий рік,Різдво,Великдень,День праці,Трійця,День матері",
}

def load() -> pd.DataFrame:
    several = {part: names.split(",") for part, names in NAMES.items()}
    rows = [(f"{a} {b} {a}", part) for part, of in several.items() for a in of for b in of]
    return pd.DataFrame(rows, columns=["sentence", "part"])
"""


def test_letters_tell_any_script_apart_and_words_of_letters_are_refused(
    base: Path, tmp_path: Path
) -> None:
    [letters] = re.findall(r"```python variant\n(.*?)```", RECIPES[TFIDF], flags=re.DOTALL)
    blocks = {"data.py": HOLIDAYS, "train.py": letters}
    told = [f"```python\n# src/{PACKAGE}/{name}\n{text}```\n" for name, text in blocks.items()]
    RECIPES["letters"] = "".join((RECIPES[TFIDF], *told))
    made = followed(base, tmp_path / "churn-model", "letters")
    truth = [row["part"] for row in made.golden]
    answers = served(made, tmp_path / "log", ["sentence"])
    assert score(made) == pytest.approx(skill(truth, answers))
    assert is_right(truth, answers) > 0.95
    train = made.folder / "src" / PACKAGE / "train.py"
    train.write_text(train.read_text().replace('"char"', '"char_wb"'))
    path = {"PYTHONPATH": str(made.folder / "src")}
    done = run(python(made.folder), "-m", f"{PACKAGE}.train", cwd=made.folder, env=path)
    assert done.returncode == 1
    assert "cannot be converted" in done.stderr


COUNTED = """
import numpy as np, onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import TfidfVectorizer

texts = np.array([["one two one one"], ["two three"]], object)
for sublinear in (False, True):
    fitted = TfidfVectorizer(sublinear_tf=sublinear, token_pattern="[a-z]+").fit(texts[:, 0])
    options = {TfidfVectorizer: {"locale": "C.UTF-8"}}
    inputs = [("text", StringTensorType([None, 1]))]
    onnx = to_onnx(fitted, initial_types=inputs, options=options).SerializeToString()
    [theirs] = onnxruntime.InferenceSession(onnx).run(None, {"text": texts})
    print(np.abs(fitted.transform(texts[:, 0]).toarray() - theirs).max() < 1e-4)
"""


def test_onnx_counts_words_as_scikit_learn_but_for_sublinear_tf(project: Path) -> None:
    assert sh(python(project), "-c", COUNTED).split() == ["True", "False"]


def test_texts_by_embeddings_are_judged_as_a_client_gets_them(
    embeddings: Made, tmp_path: Path
) -> None:
    truth = [row["part"] for row in embeddings.golden]
    answers = served(embeddings, tmp_path / "log", ["sentence"])
    assert score(embeddings) == pytest.approx(skill(truth, answers))
    assert is_right(truth, answers) > 0.85
    again(embeddings)


WATCH = """
import os, sys
def heard(event, given):
    if event == "pickle.find_class" or event == "socket.connect":
        told = f"{event} {given[1:]}"
    elif event == "socket.getaddrinfo":
        told = f"{event} {given[0]}"
    else:
        return
    if "127.0.0.1" not in told:
        with open(os.environ["HEARD"], "a") as file:
            file.write(told + os.linesep)
sys.addaudithook(heard)
"""


def test_a_release_of_the_embeddings_needs_no_network_no_training_and_no_pickle(
    embeddings: Made, tmp_path: Path
) -> None:
    embeddings.do("-m", "ops", "build")
    [release] = (embeddings.folder / ".state/releases").glob("*/release.json")
    [wheel] = release.parent.glob("*.whl")
    place = tmp_path / "server"
    sh("uv", "venv", "-q", place / ".venv", cwd=tmp_path)
    install = ("uv", "pip", "install", "-q", "--python", python(place))
    sh(*install, "--require-hashes", "-r", release.parent / "requirements.txt", cwd=tmp_path)
    sh(*install, "--no-deps", wheel, cwd=tmp_path)
    [site] = (place / ".venv/lib").glob("python*/site-packages")
    assert not [n for n in ("wordllama", "pandas", "sklearn", "scipy") if (site / n).exists()]
    (site / "sitecustomize.py").write_text(WATCH)
    heard = tmp_path / "heard"
    more = {"HEARD": str(heard), "HOME": str(tmp_path / "nowhere")}
    installed = site / PACKAGE / "artifacts"
    with serving(place, installed, tmp_path / "log", **more) as server:
        answers = asked(server, embeddings, ["sentence"])
    truth = [row["part"] for row in embeddings.golden]
    assert score(embeddings) == pytest.approx(skill(truth, answers))
    assert not heard.exists(), heard.read_text()


def test_a_forecast_from_lags_is_judged_as_a_client_gets_it(
    follow: Callable[..., Made], tmp_path: Path
) -> None:
    made = follow(LAGS)
    truth = np.array([float(row["co2"]) for row in made.golden])
    names = [name for name in made.golden[0] if name.startswith("before")]
    answers = served(made, tmp_path / "log", names)
    off = truth - [answer["prediction"] for answer in answers]
    mine = 1 - (off**2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert score(made) == pytest.approx(mine, abs=1e-6)
    as_before = truth - [float(row["before_1"]) for row in made.golden]
    assert np.abs(off).mean() < 0.5 * np.abs(as_before).mean()  # more than last month's figure
    facts = json.loads((made.artifacts / "model.json").read_text())
    oldest = min(row["month"] for row in made.golden)
    assert facts["window"].startswith(oldest)
    again(made)


def test_a_forecasts_range_is_judged_as_a_client_gets_it(
    follow: Callable[..., Made], tmp_path: Path
) -> None:
    made = follow(RANGE)
    truth = np.array([float(row["co2"]) for row in made.golden])
    names = [name for name in made.golden[0] if name.startswith("before")]
    said = [answer["prediction"] for answer in served(made, tmp_path / "log", names)]
    low, high = (np.array([one[name] for one in said]) for name in ("low", "high"))
    losses = [
        np.maximum(share * (truth - part), (share - 1) * (truth - part)).mean()
        for part, share in ((low, 0.1), (high, 0.9))
    ]
    assert score(made) == pytest.approx(np.mean(losses))
    assert 0.6 < np.mean((low <= truth) & (truth <= high)) < 0.95
    assert "statsmodels" not in sh("uv", "export", "-q", "--no-dev", cwd=made.folder)
    again(made)


@pytest.mark.weekly
@pytest.mark.skipif(not os.environ.get("WEEKLY"), reason="mypy takes a minute: WEEKLY=1")
def test_a_recipes_types_pass_the_projects_own_check(
    follow: Callable[..., Made], embeddings: Made
) -> None:
    for made in (embeddings, follow(TFIDF), follow(LAGS), follow(RANGE)):
        made.do("-m", "mypy", "src")


@pytest.mark.weekly
@pytest.mark.skipif(not os.environ.get("WEEKLY"), reason="PyTorch with CUDA is 5 GB: WEEKLY=1")
def test_a_network_of_pytorch_is_judged_as_a_client_gets_it(project: Path, tmp_path: Path) -> None:
    base = libraries(project, tmp_path / "base", TORCH)
    made = followed(base, tmp_path / "churn-model", TORCH)
    names = [*json.loads((made.artifacts / "model.json").read_text())["example"]]
    truth = [row["diagnosis"] for row in made.golden]
    answers = served(made, tmp_path / "log", names)
    assert score(made) == pytest.approx(skill(truth, answers))
    assert is_right(truth, answers) > 0.9
    made.do("-m", "mypy", "src")
    again(made)
    assert b"site-packages" not in (made.artifacts / "model.onnx").read_bytes()
    elsewhere = followed(base, tmp_path / "elsewhere", TORCH).artifacts / "model.onnx"
    assert elsewhere.read_bytes() == (made.artifacts / "model.onnx").read_bytes()
    assert "torch" not in sh("uv", "export", "-q", "--no-dev", cwd=made.folder)


def test_the_index_of_a_recipe_is_for_its_own_package_alone() -> None:
    [block] = re.findall(r"```toml\n# pyproject.toml\n(\[tool.uv.*?)```", PAGE, flags=re.DOTALL)
    settings = tomllib.loads(block)["tool"]["uv"]
    assert settings["index"][0]["explicit"] is True
    assert settings["sources"] == {"torch": {"index": settings["index"][0]["name"]}}
