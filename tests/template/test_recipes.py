"""docs/recipes.md, followed word for word: each recipe is trained, accepted, served and scored."""

import re
from pathlib import Path

import pytest

from tests.support import ROOT, run, sh
from tests.template import test_recipes_text_and_time as others
from tests.template.conftest import PACKAGE, python

PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
RECIPES = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])


@pytest.fixture(scope="module")
def base(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One environment for all recipes of the page."""
    others.RECIPES.update(RECIPES)
    return others.libraries(project, tmp_path_factory.mktemp("base") / "churn-model", *RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_judged_as_a_client_gets_it_and_gives_the_same_bytes_again(
    base: Path, tmp_path: Path, recipe: str
) -> None:
    made = others.followed(base, tmp_path / "churn-model", recipe)
    names = [name for name in made.golden[0] if name != "diagnosis"]
    answers = others.served(made, tmp_path / "log", names)
    truth = [row["diagnosis"] for row in made.golden]
    assert others.score(made) == pytest.approx(others.skill(truth, answers), rel=1e-5)
    assert others.is_right(truth, answers) > 0.88
    others.again(made)
    files = {path.name for path in made.artifacts.iterdir()} - {"model.json"}
    written = re.findall(r'return \{"(model\.[a-z.]+)"', RECIPES[recipe]) or ["model.onnx"]
    assert files == set(written)


def test_what_does_not_become_onnx_is_said_in_two_lines(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn-model"
    sh("git", "clone", "-q", base, folder)
    (folder / ".venv").symlink_to(base / ".venv")
    train = folder / "src" / PACKAGE / "train.py"
    text = train.read_text()
    old = "make_pipeline(StandardScaler(), LogisticRegression(random_state=seed))"
    assert old in text
    train.write_text(text.replace(old, "ensemble.HistGradientBoostingClassifier()"))
    train.write_text(train.read_text().replace("import pandas as pd\n", IMPORTS, 1))
    path = {"PYTHONPATH": str(folder / "src")}
    done = run(python(folder), "-m", f"{PACKAGE}.train", cwd=folder, env=path)
    assert (done.returncode, done.stdout) == (1, "")
    said = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
    assert len(said) == 2, done.stderr[:2000]
    assert len(done.stderr) < 2000
    assert "to_onnx" in done.stderr


IMPORTS = "import pandas as pd\nfrom sklearn import ensemble\n"
