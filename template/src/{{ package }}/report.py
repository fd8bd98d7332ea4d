"""The gate's verdict, as data and as a page. It decides nothing: rules stand in gate.py."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .score import Score, Slice


@dataclass(frozen=True)
class Limits:
    """[tool.mlops.gate] in pyproject.toml."""

    min_skill: float  # on all golden rows
    min_slice_skill: float  # on the worst slice
    margin: float  # how much skill may be lost against the champion
    slice_margin: float  # the same on any one slice
    min_slice_rows: int  # smaller slices are reported, not judged


def judged(score: Score, limits: Limits) -> list[Slice]:
    """The slices that have rows enough to be judged."""
    return [part for part in score.slices if part.rows >= max(1, limits.min_slice_rows)]


@dataclass(frozen=True)
class Report:
    """The verdict, and all that led to it."""

    limits: Limits
    golden_rows: int
    golden_fingerprint: str
    model_sha256: str | None = None
    score: Score | None = None
    champion: Score | None = None
    note: str = ""
    reasons: tuple[str, ...] = ("not judged yet",)

    @property
    def accepted(self) -> bool:
        return not self.reasons

    def about(self, model_sha256: str) -> "Report":
        return replace(self, model_sha256=model_sha256)

    def refuse(self, *reasons: str) -> "Report":
        return replace(self, reasons=reasons)

    def judge(
        self, score: Score, champion: Score | None, note: str, reasons: Sequence[str]
    ) -> "Report":
        return replace(self, score=score, champion=champion, note=note, reasons=tuple(reasons))

    def worst(self) -> Slice | None:
        parts = judged(self.score, self.limits) if self.score else []
        return min(parts, key=lambda part: part.skill, default=None)

    def lines(self) -> list[str]:
        """The verdict for a terminal: a line of result, then each reason on its own."""
        head = f"{'accepted' if self.accepted else 'refused'} on {self.golden_rows} golden rows"
        if self.score:
            head += f": skill {self.score.skill:.3f}, {self.score.metric} {self.score.value:.4g}"
        worst = self.worst()
        if worst:
            head += f", worst slice '{worst.name}' {worst.skill:.3f}"
        return [head, *([self.note] if self.note else []), *self.reasons]

    def to_json(self) -> dict[str, object]:
        score = asdict(self.score) if self.score else {"skill": None, "slices": []}
        worst = self.worst()
        return {
            "accepted": self.accepted,
            "reasons": list(self.reasons),
            **score,
            "worst_slice": asdict(worst) if worst else None,
            "champion": asdict(self.champion) if self.champion else None,
            "champion_note": self.note,
            "limits": asdict(self.limits),
            "golden_rows": self.golden_rows,
            "golden_fingerprint": self.golden_fingerprint,
            "model_sha256": self.model_sha256,
        }


def markdown(report: Report) -> str:
    """The verdict as a page, for a pull request."""
    title, *rest = report.lines()
    lines = [f"## Gate: {title}", "", *(f"- {line}" for line in rest), ""]
    if report.score:
        champion = report.champion
        before = {part.name: part.skill for part in champion.slices} if champion else {}
        total = champion.skill if champion else None
        lines += ["| slice | rows | skill | champion | |", "|---|--:|--:|--:|---|"]
        lines.append(_line("all", report.golden_rows, report.score.skill, total, ""))
        enough = judged(report.score, report.limits)
        for part in report.score.slices:
            remark = "" if part in enough else "too few rows to judge"
            lines.append(_line(part.name, part.rows, part.skill, before.get(part.name), remark))
        lines += ["", "Skill: 1 is perfect, 0 is no better than the best constant answer."]
    return "\n".join([*lines, f"Model {report.model_sha256}.", ""])


def _line(name: str, rows: int, skill: float, champion: float | None, remark: str) -> str:
    other = "" if champion is None else f"{champion:.3f}"
    return f"| {name} | {rows} | {skill:.3f} | {other} | {remark} |"


def write(
    folder: Path,
    report: Report,
    rows: Sequence[object],
    predictions: Sequence[object],
) -> None:
    """Write report.json, report.md and golden.json: rows, and what a server must answer them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(markdown(report), "utf-8")
    _write_json(folder / "report.json", report.to_json())
    _write_json(folder / "golden.json", {"rows": rows, "predictions": predictions})


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n", "utf-8")


def _finite(content: object) -> object:
    """JSON has no NaN: the skill of an empty slice is null."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
