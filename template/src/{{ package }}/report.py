"""The gate's report for people: report.md for a pull request, and report.html, which has plots too.

The page is one file that fetches nothing. Its plots are a few lines of SVG: only to import a
library that draws takes as long as the whole gate. Touch this file to show one more thing.
"""

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import SCHEMA
from .gate import METRIC, Report
from .golden import WEIGHT
from .metrics import Answered

Section = tuple[str, str, list[list[str]], str]  # title, what it says, head and rows, plot
Values = NDArray[Any]
Pair = tuple[float, float]
Bar = tuple[int, float, float, float]  # below which name, from, to, and how high of 1
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of which quantiles are shown
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Gate</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><style>
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{max-width:62rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.3rem;border-left:.4rem solid #d44;padding-left:.8rem}h1.True{border-color:#3a5}
table{border-collapse:collapse;display:block;overflow-x:auto;overflow-wrap:normal}
td,th{padding:.2rem .7rem;border-bottom:1px solid #8886;text-align:right}
:is(td,th):first-child{text-align:left}svg{display:block;max-width:100%;margin:1rem 0}
rect,circle{fill:#48d;fill-opacity:.7}text{fill:currentColor;font-size:12px;text-anchor:middle}
.name{text-anchor:start}line{stroke:currentColor;stroke-opacity:.3}
.limit{stroke:#d44;stroke-opacity:1;stroke-width:2}</style>"""


def write(folder: Path, report: Report, found: Answered | None) -> None:
    """Both files; `found` is what was answered to the golden rows, if anything."""
    threshold = report.limits["threshold"]
    told = [
        *report.lines(),
        f"metric: {report.metric}, {'more' if report.higher else 'less'} of which is better",
        f"model: sha256 {report.model_sha256}, of commit {report.commit}",
        f"data: sha256 {report.data_fingerprint}; golden rows: {report.golden_fingerprint}",
    ]
    if threshold is not None:
        told.append(f"threshold: {SCHEMA.positive!r} is the answer from {threshold:g} on")
    page = [HEAD, f'<h1 class="{report.accepted}">Gate: {html.escape(told[0])}</h1><ul>']
    page += [*(f"<li>{html.escape(line)}" for line in told[1:]), "</ul>"]
    text = [f"## Gate: {_mark(told[0])}", "", *(f"- {_mark(line)}" for line in told[1:])]
    for title, about, table, plot in _sections(report, found) if found else ():
        head, *rows = ([html.escape(cell) for cell in row] for row in table)
        lines = [f"<tr><th>{'<th>'.join(head)}", *(f"<tr><td>{'<td>'.join(row)}" for row in rows)]
        page += [f"<h2>{title}</h2><p>{html.escape(about)}", plot, "<table>", *lines, "</table>"]
        head, *rows = ([_mark(cell) for cell in row] for row in table)
        lines = [" | ".join(row) for row in (head, ["---", *["--:"] * (len(head) - 1)], *rows)]
        text += ["", f"### {title}", "", _mark(about), "", *(f"| {line} |" for line in lines)]
    for name, parts in {"report.html": page, "report.md": text}.items():
        (folder / name).write_text("\n".join([*parts, ""]), "utf-8")


def _sections(report: Report, found: Answered) -> Iterator[Section]:
    """What is worth knowing of the answers to the golden rows."""
    rows = [[n, str(p.rows), *_told(p.score, p.value)] for n, p in report.slices.items()]
    scores = [part.score if np.isfinite(part.score) else 0 for part in report.slices.values()]
    limit = report.limits.get(f"{'min' if report.higher else 'max'}_slice_{report.metric}", 0)
    bars = [(place, min(0, score), max(0, score), 0.6) for place, score in enumerate(scores)]
    bars += [(0, *report.interval, 0.2)] if report.interval else []
    about = f"The line is the limit of slices of {report.limits['min_slice_rows']} rows or more; "
    about += "the narrow bar tells where 95 of 100 samples of all rows lie."
    ends = _ends([0, limit, *scores, *(report.interval or ())])
    plot = _plot(ends, [*report.slices], bars, limit)
    yield "Slices", about, [["slice", "rows", report.metric, METRIC], *rows], plot
    if SCHEMA.classes:
        yield from _classes(found, report.limits["threshold"])
    elif SCHEMA.targets:
        yield _numbers(found, report.limits.get("alpha"))
    else:
        score = found.said[:, 0]
        plot = _histograms({"score": score}, _ends(score), None)
        yield "Scores", "How many rows have which score.", _quantiles({"score": score}), plot


def _classes(found: Answered, threshold: float | None) -> Iterator[Section]:
    """What is mistaken for what, do probabilities come true, and do they tell classes apart?"""
    cells = np.zeros((SCHEMA.width, SCHEMA.width))
    np.add.at(cells, (found.truth, found.labels), found.weights)
    rows = [[n, *(f"{c:.0f}" for c in line)] for n, line in zip(SCHEMA.classes, cells, strict=True)]
    about = "A line for what came true, a column for what was answered."
    if WEIGHT in found.rows:
        about += " A golden row counts as all the rows of the table that it stands for."
    yield "Confusion matrix", about, [["", *SCHEMA.classes], *rows], ""
    every, what, whose = np.arange(len(found.rows)), "the answer", "the class that came true"
    said, true = found.said[every, found.labels], found.labels == found.truth
    own = found.said[every, found.truth]
    if len(SCHEMA.classes) == 2:
        wanted = SCHEMA.classes.index(SCHEMA.positive) if SCHEMA.positive else 1
        what = whose = SCHEMA.classes[wanted]
        own, true = (said := found.said[:, wanted]), found.truth == wanted
    rows, dots = [["probability", "golden rows", "mean", "came true"]], []
    bins = np.clip((said * 10).astype(int), 0, 9)
    for place in np.unique(bins):
        part = bins == place
        mean, share = (np.average(v[part], weights=found.weights[part]) for v in (said, true))
        ends = f"{place / 10:.1f} to {place / 10 + 0.1:.1f}"
        rows.append([ends, str(part.sum()), *_told(mean, share)])
        dots.append((mean, share, 3 + 12 * part.mean()))
    about = f"The probability of {what}: where it is 0.7, seven of ten rows should come true."
    yield "Calibration", about, rows, _plot((0, 1), ["probability; up: came true"], dots=dots)
    of = {SCHEMA.classes[code]: own[found.truth == code] for code in np.unique(found.truth)}
    about = f"The probability of {whose}, by what came true: quantiles and histograms."
    yield "Probabilities by class", about, _quantiles(of), _histograms(of, (0, 1), threshold)


def _numbers(found: Answered, alphas: list[float] | None) -> Section:
    """How far the answers are off, and how many truths lie below them."""
    names = SCHEMA.numbers or (SCHEMA.target,)
    rows = _quantiles(dict(zip(names, (found.truth - found.said).T, strict=True)))
    rows[0] += ["truths below", *(["wanted"] if alphas else [])]
    plots = []
    for place, (said, true) in enumerate(zip(found.said.T, found.truth.T, strict=True)):
        rows[place + 1] += _told(np.average(true < said, weights=found.weights))
        rows[place + 1] += _told(alphas[place]) if alphas else []
        dots = [(x, y, 3.0) for x, y in zip(said, true, strict=True)]
        plots.append(_plot(_ends([*said, *true]), [f"{names[place]}; up: came true"], dots=dots))
    about = "Quantiles of what came true less what was answered, and the share of truths below it."
    return "Residuals", about, rows, "".join(plots)


def _told(*values: float | None) -> list[str]:
    return ["-" if value is None or np.isnan(value) else f"{value:.4g}" for value in values]


def _mark(text: str) -> str:
    """A text that Markdown shows as it is, in a table too."""
    return re.sub(r"[\\`*\[\]|~<&]|(?<!\w)_|_(?!\w)", r"\\\g<0>", " ".join(text.split()))


def _quantiles(of: dict[str, Values]) -> list[list[str]]:
    rows = [[n, str(len(v)), *_told(*np.quantile(v, SHARES))] for n, v in of.items()]
    return [["", "golden rows", *(f"{share:.0%}" for share in SHARES)], *rows]


def _ends(values: Any) -> Pair:
    """Ends of an axis that are round."""
    low, high = float(np.min(values)), float(np.max(values))
    step = float(10 ** np.floor(np.log10((high - low) or abs(low) or 1)))
    first = np.floor(low / step)
    return first * step, max(np.ceil(high / step), first + 1) * step


def _histograms(of: dict[str, Values], ends: Pair, limit: float | None) -> str:
    bars = []
    for place, values in enumerate(of.values()):
        heights, edges = np.histogram(values, 20, ends)
        parts = zip(edges[:-1], edges[1:], heights / heights.max(), strict=True)
        bars += [(place, *part) for part in parts if part[2]]
    return _plot(ends, [*of], bars, limit)


def _plot(
    ends: Pair,
    names: list[str],
    bars: Sequence[Bar] = (),
    limit: float | None = None,
    dots: Sequence[tuple[float, float, float]] = (),
) -> str:
    """Bars under their names with a line at a limit or, in a square, dots and its diagonal."""
    wide, high = (700, 44 * len(names)) if bars else (320, 320)
    scale, bottom = wide / (ends[1] - ends[0]), high + (8 if bars else 24)

    def x(value: float) -> float:
        return 60 + (value - ends[0]) * scale

    parts = []
    for value in np.linspace(*ends, 5):
        at, up = x(value), bottom - (value - ends[0]) * scale
        parts += [_tag("line", x1=at, y1=20, x2=at, y2=bottom)]
        parts += [_tag("text", f"{value:.4g}", x=at, y=bottom + 16)]
        if dots:
            parts += [_tag("line", x1=60, y1=up, x2=60 + wide, y2=up)]
            parts += [_tag("text", f"{value:.4g}", x=30, y=up + 4)]
    for place, start, end, share in bars:
        top, width = 44 * place + 44 - 24 * share, max(1, x(end) - x(start))
        parts.append(_tag("rect", x=x(start), y=top, width=width, height=24 * share))
    for across, up, radius in dots:
        parts.append(_tag("circle", cx=x(across), cy=bottom - (up - ends[0]) * scale, r=radius))
    if dots:
        parts.append(_tag('line class="limit"', x1=60, y1=bottom, x2=60 + wide, y2=bottom - high))
    elif limit is not None:
        parts.append(_tag('line class="limit"', x1=x(limit), y1=20, x2=x(limit), y2=bottom))
    parts += [_tag('text class="name"', n, x=60, y=44 * p + 16) for p, n in enumerate(names)]
    size = f'width="{wide + 90}" viewBox="0 0 {wide + 90} {bottom + 24}"'
    return f"<svg {size}>{''.join(parts)}</svg>"


def _tag(kind: str, text: str = "", **places: float) -> str:
    told = " ".join(f'{name}="{value:.1f}"' for name, value in places.items())
    return f"<{kind} {told}>{html.escape(text)}</{kind.split()[0]}>"
