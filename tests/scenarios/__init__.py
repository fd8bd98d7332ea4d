"""The table of scenarios, for the tests and for the comparison with plain copier."""

from tests.scenarios import (
    answers,
    damage,
    files,
    hidden,
    hostile,
    interop,
    merge,
    render,
    uncommitted,
    where,
)
from tests.scenarios.model import Scenario

TABLE: dict[str, tuple[Scenario, ...]] = {
    "Both sides changed something": merge.SCENARIOS,
    "Files that are not plain text": files.SCENARIOS,
    "What the template's settings and the answers decide": render.SCENARIOS,
    "Where the project is, and from which version to which": where.SCENARIOS,
    "Work that is not committed": uncommitted.SCENARIOS,
    "Questions and answers": answers.SCENARIOS,
    "Answers that are not asked for any more": hidden.SCENARIOS,
    "Damage": damage.SCENARIOS,
    "Harm meant": hostile.SCENARIOS,
    "Plain copier before and after": interop.SCENARIOS,
}
SCENARIOS = tuple(scenario for group in TABLE.values() for scenario in group)
