"""A release may accept a row that the one before refuses; what it refuses itself is a fault."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import sh
from tests.template.conftest import Server, python

ASK = """
import json, sys
import httpx
from ops import config, verify

url, row = sys.argv[1], json.loads(sys.argv[2])
client, production = httpx.Client(base_url=url), config.find("production")
refused = row | {name: "of another kind" for name in row}
answer, _ = verify._ask(client, row, production, "old", must=False)
nothing, _ = verify._ask(client, refused, production, "old", must=False)
near, far = ({"prediction": "a", "probabilities": {"a": p, "b": 1 - p}} for p in (0.6, 0.9))
print(verify.agree(near, near), verify.agree(near, far), verify.agree(far, {"prediction": "a"}))
print(nothing, verify.agree(answer, answer), verify.agree(nothing, answer))
try:
    verify._ask(client, refused, production, "new")
except config.OpsError as error:
    print(error.cause)
"""


def test_only_the_old_release_may_refuse_a_row(
    project: Path, server: Server, row: dict[str, object]
) -> None:
    said = sh(python(project), "-c", ASK, server.url, json.dumps(row), cwd=project)
    alike, old, new = said.splitlines()
    assert alike == "True False False", "the same class with other probabilities is another answer"
    assert old == "None True False"
    assert new.startswith("new answered a golden row with 422")
