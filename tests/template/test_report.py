"""The gate's report: what it tells of each kind of target, in Markdown and in a browser."""

import html
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support import run, sh
from tests.template import tables
from tests.template.conftest import PACKAGE, python

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
QUIET += " --disable-component-update --disable-sync --enable-logging=stderr"
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND"  # or the browser asks its maker for the time
KINDS = {
    "rare": (tables.RARE, "", "average_precision", "", "threshold = 0.2"),
    "many": (tables.MANY, "", "log_loss", "", ""),
    "several": (tables.SEVERAL, tables.RIDGE, "skill", "", ""),
    "quantiles": (tables.QUANTILES, tables.BAND, "mean_pinball_loss", "alpha = [0.1, 0.9]", ""),
    "score": (tables.SCORE, tables.ANOMALY, "own:auc", "", ""),
}
# By kind: titles, and how many plots there are.
SHOWN = {
    "rare": (["Slices", "Confusion matrix", "Calibration", "Probabilities by class"], 3),
    "many": (["Slices", "Confusion matrix", "Calibration", "Probabilities by class"], 3),
    "several": (["Slices", "Residuals"], 3),
    "quantiles": (["Slices", "Residuals"], 3),
    "score": (["Slices", "Scores"], 2),
}
Made = tuple[str, Path]


@pytest.fixture(scope="module", params=KINDS)
def made(
    project: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Made:
    """A kind of target, and a project of it that was gated."""
    data, train, metric, more, model = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param) / "churn-model"
    tables.made(project, folder, data, train, model)
    (folder / "src" / PACKAGE / "own.py").write_text(tables.OWN)
    tables.metric(folder, metric, more)
    for verb in ("train", "gate"):
        done = tables.do(folder, verb)
        assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "with plots: .state/gate/report.html"
    return request.param, folder


def text(folder: Path, ending: str) -> str:
    return (folder / ".state/gate" / f"report.{ending}").read_text("utf-8")


def cells(page: str) -> list[list[str]]:
    """The tables of a page, as rows of what a person reads."""
    rows = re.findall(r"<tr>(.*)", page)
    return [[html.unescape(cell) for cell in re.split("<t[hd]>", row)[1:]] for row in rows]


def test_both_tell_the_verdict_what_it_is_about_and_the_same_tables(made: Made) -> None:
    kind, folder = made
    report, page, markdown = tables.report(folder), text(folder, "html"), text(folder, "md")
    facts = json.loads((folder / "src" / PACKAGE / "artifacts/model.json").read_text())
    told = [f"accepted on {report['golden_rows']} golden rows: {report['metric']}", report["note"]]
    told += [facts[name] for name in ("model_sha256", "commit", "data_fingerprint")]
    told += [report["golden_fingerprint"], f"metric: {report['metric']}, "]
    for name in told:
        assert name in page
        assert name in markdown.replace("\\", "")
    assert re.findall("<h2>(.*)</h2>", page) == SHOWN[kind][0]
    assert re.findall("### (.*)", markdown) == SHOWN[kind][0]
    assert page.count("<svg ") == SHOWN[kind][1]
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    read = [re.split(r"(?<!\\) \| ", line[2:-2]) for line in lines if "--:" not in line]
    bare = [[re.sub(r"\\(.)", r"\1", cell).strip() for cell in row] for row in read]
    assert bare == [[" ".join(cell.split()) for cell in row] for row in cells(page)]


def test_slices_have_their_rows_and_figures(made: Made) -> None:
    kind, folder = made
    shown = {row[0]: row[1:] for row in cells(text(folder, "html"))[1:]}
    for name, part in tables.report(folder)["slices"].items():
        score = "-" if part["score"] is None else f"{part['score']:.4g}"
        value = "-" if part["value"] is None else f"{part['value']:.4g}"
        if kind != "score" or name != "score":
            assert shown[name] == [str(part["rows"]), score, value]


def test_the_same_input_gives_the_same_bytes(made: Made) -> None:
    _, folder = made
    before = [text(folder, ending) for ending in ("html", "md")]
    assert tables.do(folder, "gate").returncode == 0
    assert [text(folder, ending) for ending in ("html", "md")] == before


def test_calibration_adds_up_to_the_golden_rows_and_is_what_came_true(made: Made) -> None:
    kind, folder = made
    page, report = text(folder, "html"), tables.report(folder)
    if kind in ("rare", "many"):
        part = page.split("<h2>Calibration")[1].split("<h2>")[0]
        assert sum(int(row[1]) for row in cells(part)[1:]) == report["golden_rows"]
        assert all(0 <= float(row[3]) <= 1 for row in cells(part)[1:])
    if kind == "rare":
        _, truth, weights = tables.golden(folder, "churned")
        code = f"import json; from {PACKAGE} import golden, model; rows = golden.columns("
        code += "golden.read()); print(json.dumps(model.load().answers(rows)))"
        path = {"PYTHONPATH": f"{folder / 'src'}"}
        answers = json.loads(sh(python(folder), "-c", code, cwd=folder, env=path))
        low = [n for n, a in enumerate(answers) if a["probabilities"]["yes"] < 0.1]
        whole = sum(weights[n] for n in low)
        share = sum(weights[n] for n in low if truth[n] == "yes") / whole
        assert cells(part)[1][0] == "0.0 to 0.1"
        assert cells(part)[1][1] == str(len(low))
        assert float(cells(part)[1][3]) == pytest.approx(share, rel=1e-3)
    if kind == "quantiles":
        table = cells(page.split("<h2>Residuals")[1])
        assert table[0][-2:] == ["truths below", "wanted"]
        for row, alpha in zip(table[1:], (0.1, 0.9), strict=True):
            assert float(row[-1]) == alpha
            assert float(row[-2]) == pytest.approx(alpha, abs=0.07)


def test_a_model_that_cannot_be_scored_has_a_report_without_plots(made: Made) -> None:
    _, folder = made
    artifacts = folder / "src" / PACKAGE / "artifacts"
    before = {ending: text(folder, ending) for ending in ("html", "md")}
    facts = (artifacts / "model.json").read_text()
    other = json.loads(facts) | {"golden_fingerprint": "another"}
    (artifacts / "model.json").write_text(json.dumps(other))
    done = tables.do(folder, "gate")
    assert done.returncode == 1
    for ending in ("html", "md"):
        told = text(folder, ending)
        assert "refused on" in told
        assert "data/golden.csv changed since the training" in told
        assert "<svg" not in told
        assert "| " not in told
    (artifacts / "model.json").write_text(facts)
    (artifacts / "model.onnx").rename(artifacts / "away")
    done = tables.do(folder, "gate")
    assert done.returncode == 1
    assert "there is no model.onnx" in text(folder, "html")
    (artifacts / "model.json").rename(artifacts / "too")
    done = tables.do(folder, "gate")
    assert done.returncode == 2
    assert not [*(folder / ".state/gate").glob("report.*")]
    (artifacts / "too").rename(artifacts / "model.json")
    (artifacts / "away").rename(artifacts / "model.onnx")
    assert tables.do(folder, "gate").returncode == 0
    assert {ending: text(folder, ending) for ending in ("html", "md")} == before


def browse(page: Path) -> tuple[str, str]:
    """The page's document in Chromium, and what that wrote into its log."""
    if not CHROMIUM and "CI" not in os.environ:
        pytest.skip("chromium is not installed")
    assert CHROMIUM
    words = [*QUIET.split(), NOWHERE, f"--user-data-dir={page.parent / 'chromium'}"]
    done = run(CHROMIUM, *words, "--dump-dom", f"file://{page}", seconds=60)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


# Where each part of a plot lies, written into the page; scripts are not allowed in it as it is.
LOOK = """<script>const plots = [...document.querySelectorAll("svg")].map(svg => {
  const frame = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll("rect,circle")].map(e => e.getBoundingClientRect());
  const inside = b => b.left >= frame.left - 1 && b.right <= frame.right + 1
    && b.top >= frame.top - 1 && b.bottom <= frame.bottom + 1;
  return {width: frame.width, height: frame.height, shapes: boxes.length,
    small: boxes.filter(b => !(b.width > 0)).length, out: boxes.filter(b => !inside(b)).length,
    texts: [...svg.querySelectorAll("text")].map(e => e.textContent)};
});
const fetched = performance.getEntriesByType("resource").map(entry => entry.name);
document.title = JSON.stringify({plots, fetched})</script>"""


def test_a_browser_shows_its_plots_and_fetches_nothing(made: Made, tmp_path: Path) -> None:
    kind, folder = made
    page = tmp_path / "report.html"
    page.write_text(text(folder, "html"))
    seen, log = browse(page)
    assert "CONSOLE" not in log
    assert "<script" not in seen
    assert "<b>" not in seen

    look = re.sub("<meta http-equiv.*>\n", "", page.read_text()) + LOOK
    page.write_text(look)
    titles = re.findall("<title>(.*?)</title>", browse(page)[0], flags=re.DOTALL)
    found = json.loads(html.unescape(titles[0]))
    assert found["fetched"] == []
    plots: list[dict[str, Any]] = found["plots"]
    assert len(plots) == SHOWN[kind][1]
    for plot in plots:
        assert plot["width"] > 300
        assert plot["height"] > 60
        assert plot["shapes"] > 0
        assert (plot["small"], plot["out"]) == (0, 0)
    slices = tables.report(folder)["slices"]
    assert set(slices) <= set(plots[0]["texts"])


def test_a_page_that_would_fetch_something_is_stopped_and_noticed(
    made: Made, tmp_path: Path
) -> None:
    _, folder = made
    page = tmp_path / "page.html"
    page.write_text(text(folder, "html") + "<img src='http://127.0.0.1:9/x.png'>")
    assert "Content Security Policy" in browse(page)[1].partition("CONSOLE")[2]


def test_a_limit_and_a_threshold_are_lines_of_the_plots(project: Path, tmp_path: Path) -> None:
    folder = tables.made(project, tmp_path / "p", tables.RARE, model="threshold = 0.25")
    tables.metric(folder, "accuracy", low=0.5, high=1)
    for verb in ("train", "gate"):
        assert tables.do(folder, verb).returncode == 0
    parts = text(folder, "html").split("<h2>")
    lines = {
        part[:6]: re.findall(r'<line class="limit" x1="(.*?)" y1.*?x2="(.*?)"', part)
        for part in parts
    }
    assert lines["Slices"] == [("410.0", "410.0")]  # half of the axis from 60 to 760
    assert lines["Probab"] == [("235.0", "235.0")]  # a quarter of it


def test_nothing_of_the_report_is_needed_to_serve(project: Path) -> None:
    code = f"import sys, {PACKAGE}.serve; print([n for n in sys.modules if n.endswith('.report')])"
    assert sh(python(project), "-c", code, cwd=project).strip() == "[]"
