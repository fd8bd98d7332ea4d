"""Does a running server keep its promises? Asked from outside, at any address.

Every deploy runs these before a release gets traffic: `ACCEPTANCE_URL` says where, and
`ACCEPTANCE_RELEASE` which release must answer. They know nothing of the table: rows come from the
release's golden.json (`ACCEPTANCE_ROWS`), or else from the server's own documentation.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

URL = os.environ.get("ACCEPTANCE_URL", "http://127.0.0.1:8000")
RELEASE = os.environ.get("ACCEPTANCE_RELEASE")
ROWS = os.environ.get("ACCEPTANCE_ROWS")
BROKEN = [b"", b"{", b"[]", b"null", b"\xff", b"[" * 10_000, b"9" * 2_000_000]

Row = dict[str, object]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    headers = {"x-release": RELEASE, "x-probe": "1"} if RELEASE else {}
    with httpx.Client(base_url=URL, headers=headers, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def rows(client: httpx.Client) -> list[Row]:
    """Rows as a client sends them."""
    if ROWS:
        return list(json.loads(Path(ROWS).read_text("utf-8"))["rows"][:50])
    predict = client.get("/openapi.json").raise_for_status().json()["paths"]["/predict"]["post"]
    body = predict["requestBody"]["content"]["application/json"]
    return [body["examples"]["one row"]["value"]]


def test_the_server_is_ready_and_is_the_release_that_was_asked_for(client: httpx.Client) -> None:
    assert client.get("/v2/health/ready").status_code == 200
    version = client.get("/version").raise_for_status().json()
    assert len(version["model_sha256"]) == 64
    assert version["release"] == (RELEASE or version["release"])


def test_a_batch_answers_each_row_in_order(client: httpx.Client, rows: list[Row]) -> None:
    together = client.post("/predict", json=rows).raise_for_status().json()
    assert len(together) == len(rows)
    for row, answer in zip(rows[:5], together, strict=False):
        alone = client.post("/predict", json=row).raise_for_status().json()
        assert alone["prediction"] == pytest.approx(answer["prediction"])
        if "probabilities" in alone:
            assert alone["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-6)
            assert sum(alone["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_a_field_that_nobody_knows_is_named(client: httpx.Client, rows: list[Row]) -> None:
    response = client.post("/predict", json=rows[0] | {"typo": 1})
    assert response.status_code == 422
    assert "typo" in [problem["field"] for problem in response.json()["detail"]]


@pytest.mark.parametrize("body", BROKEN)
def test_a_broken_body_is_the_clients_fault_and_no_crash(client: httpx.Client, body: bytes) -> None:
    assert client.post("/predict", content=body).status_code in {413, 422}
