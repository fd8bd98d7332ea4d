"""Whatever is sent, the server stays up and the fault is the client's: no answer is a 5xx."""

import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

from tests.template.conftest import Server

CALM = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
NUMBERS = st.one_of(
    st.floats(), st.integers(), st.just(10**400), st.booleans(), st.none(), st.text(max_size=5)
)
JSON = st.recursive(NUMBERS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.fixture(scope="module")
def client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, trust_env=False)


@given(
    change=st.dictionaries(st.sampled_from(range(12)), JSON, max_size=4), batch=st.integers(0, 3)
)
@CALM
def test_predict_survives_any_change_of_a_row(
    client: httpx.Client, row: dict[str, object], change: dict[int, object], batch: int
) -> None:
    names = [*row, "unknown", ""]
    spoiled = row | {names[place]: value for place, value in change.items()}
    content = [row] * (batch - 1) + [spoiled] if batch else spoiled
    answer = client.post("/predict", content=json.dumps(content))
    assert answer.status_code in {200, 422}
    if answer.status_code == 422:
        fields = {problem["field"] for problem in answer.json()["detail"]}
        assert fields <= {names[place][:64] for place in change}


@given(body=st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
@CALM
def test_no_body_at_all_breaks_predict_or_infer(client: httpx.Client, body: bytes) -> None:
    assert client.post("/predict", content=body).status_code == 422
    assert client.post("/v2/models/churn-model/infer", content=body).status_code == 400


@given(
    name=st.sampled_from(["features", "mean_radius", "x"]),
    shape=st.lists(st.integers(-3, 12) | st.just(10**30), max_size=3) | NUMBERS,
    datatype=st.sampled_from(["FP32", "FP64", "INT8", "UINT64", "BYTES", ""]) | NUMBERS,
    data=JSON | st.lists(st.floats(), min_size=10, max_size=10),
    parameters=st.none()
    | st.just({})
    | JSON
    | st.fixed_dictionaries({"binary_data_size": NUMBERS}),
    header=st.none() | st.integers(-5, 400) | st.text("0123456789abc-+_", max_size=9),
)
@CALM
def test_infer_survives_any_tensor(
    client: httpx.Client,
    name: str,
    shape: object,
    datatype: object,
    data: object,
    parameters: object,
    header: object,
) -> None:
    tensor = {"name": name, "shape": shape, "datatype": datatype, "data": data}
    tensor |= {} if parameters is None else {"parameters": parameters}
    headers = {} if header is None else {"inference-header-content-length": str(header)}
    body = json.dumps({"inputs": [tensor]})
    answer = client.post("/v2/models/churn-model/infer", content=body, headers=headers)
    assert answer.status_code in {200, 400}
    if answer.status_code == 400:
        assert answer.json()["error"]


def test_requests_made_from_the_documentation_find_no_server_error(server: Server) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= 10

    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(CALM, max_examples=25)
        def survives(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=[not_a_server_error])

        survives()
    assert httpx.get(f"{server.url}/v2/health/ready").status_code == 200
    assert '"level":"error"' not in server.log.read_text()
