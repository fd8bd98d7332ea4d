"""Combinations of answers, made from the questions of copier.yml: all of them, and all pairs."""

from __future__ import annotations

import itertools

import yaml

from tests.support import ROOT

Answers = dict[str, str]

# Free answers that have broken templates before, beside the plain ones.
FREE = {
    "project_name": ["churn-model", "Churn.Model_2"],
    "team": ["data-science", "Équipe «Données» & co: #1"],
    "description": ["A model.", "It's 100 % \u00fcber: {not} a #comment, <b>'quoted'</b>"],
}


def factors() -> dict[str, list[str]]:
    """Every question with the answers to try: the choices, where it has some."""
    questions = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    asked = {name: q for name, q in questions.items() if isinstance(q, dict) and "choices" in q}
    return {name: [str(v) for v in q["choices"].values()] for name, q in asked.items()} | FREE


def choices() -> list[Answers]:
    """Every combination of the questions that have choices."""
    asked = {name: values for name, values in factors().items() if name not in FREE}
    return [dict(zip(asked, values, strict=True)) for values in itertools.product(*asked.values())]


def pairs() -> list[Answers]:
    """Few combinations in which every two answers to two questions meet, the defaults first.

    Greedy: each one is that of all combinations which has the most pairs not yet met.
    """
    tried = factors()
    everything = [dict(zip(tried, v, strict=True)) for v in itertools.product(*tried.values())]

    def met(answers: Answers) -> set[tuple[tuple[str, str], ...]]:
        return set(itertools.combinations(sorted(answers.items()), 2))

    missing = set().union(*map(met, everything))
    chosen = []
    while missing:
        best = everything[0] if not chosen else max(everything, key=lambda a: len(met(a) & missing))
        chosen.append(best)
        missing -= met(best)
    return chosen


def name_of(answers: Answers) -> str:
    """A short name for a test's id."""
    return " ".join(value[:16] for value in answers.values())
