"""The Open Inference Protocol, spoken by Triton's own client with its defaults."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton  # type: ignore[import-untyped]
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]

from tests.template.conftest import Server


@pytest.fixture
def client(server: Server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        yield client


@pytest.fixture
def facts(model: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((model / "model.json").read_text())
    return content


def rows(row: dict[str, object], count: int, dtype: str = "float32") -> np.ndarray:
    return np.array([list(row.values())] * count, dtype=dtype)


def tensor(values: np.ndarray, datatype: str = "FP32") -> triton.InferInput:
    entry = triton.InferInput("features", list(values.shape), datatype)
    entry.set_data_from_numpy(values)
    return entry


def test_the_client_finds_the_server_and_the_model(
    client: triton.InferenceServerClient, facts: dict[str, object]
) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("churn-model")
    assert not client.is_model_ready("another")
    version = str(facts["model_sha256"])[:12]
    assert client.is_model_ready("churn-model", version)
    assert client.get_server_metadata()["name"] == "churn-model"
    metadata = client.get_model_metadata("churn-model", version)
    assert metadata["versions"] == [version]
    assert metadata["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 10]}]
    assert [output["datatype"] for output in metadata["outputs"]] == ["INT64", "FP32"]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("datatype", "dtype"), [("FP32", "float32"), ("FP64", "float64")])
def test_tensors_get_the_answers_that_named_fields_get(
    client: triton.InferenceServerClient,
    server: Server,
    row: dict[str, object],
    binary: bool,
    datatype: str,
    dtype: str,
) -> None:
    entry = triton.InferInput("features", [3, len(row)], datatype)
    entry.set_data_from_numpy(rows(row, 3, dtype), binary_data=binary)
    result = client.infer("churn-model", [entry], request_id="42")
    named = httpx.post(f"{server.url}/predict", json=row).json()["probabilities"]
    assert result.get_response()["id"] == "42"
    assert result.as_numpy("label").shape == (3,)
    for probabilities in result.as_numpy("probabilities"):
        assert probabilities.tolist() == pytest.approx(list(named.values()), abs=1e-6)


def test_a_client_may_ask_for_one_output_and_in_any_form(
    client: triton.InferenceServerClient, row: dict[str, object]
) -> None:
    for binary in (True, False):
        wanted = [triton.InferRequestedOutput("probabilities", binary_data=binary)]
        result = client.infer("churn-model", [tensor(rows(row, 2))], outputs=wanted)
        assert result.as_numpy("probabilities").shape == (2, 2)
        assert result.as_numpy("label") is None


@pytest.mark.parametrize(
    ("datatype", "dtype"), [("INT32", "int32"), ("INT64", "int64"), ("UINT16", "uint16")]
)
def test_integers_are_numbers_too(
    client: triton.InferenceServerClient, row: dict[str, object], datatype: str, dtype: str
) -> None:
    entry = tensor(np.ceil(rows(row, 1)).astype(dtype), datatype)
    with pytest.raises(InferenceServerException, match="mean_smoothness must be"):
        client.infer("churn-model", [entry])  # understood: it is the range that refuses a 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 1e300])
def test_a_value_out_of_range_is_refused_by_row_and_name(
    client: triton.InferenceServerClient, row: dict[str, object], value: float
) -> None:
    values = rows(row, 3, "float64")
    values[1, 0] = value
    with pytest.raises(InferenceServerException, match="row 1: mean_radius must be") as caught:
        client.infer("churn-model", [tensor(values, "FP64")])
    assert caught.value.status() == "400"


def test_what_does_not_fit_the_model_is_a_clear_error(
    client: triton.InferenceServerClient, row: dict[str, object]
) -> None:
    for entry in (tensor(rows(row, 1)[:, :9]), tensor(rows(row, 1001))):
        with pytest.raises(InferenceServerException) as caught:
            client.infer("churn-model", [entry])
        assert caught.value.status() == "400"
    with pytest.raises(InferenceServerException, match="the model churn-model"):
        client.infer("another", [tensor(rows(row, 1))])
    unknown = [triton.InferRequestedOutput("nothing")]
    with pytest.raises(InferenceServerException, match="label, probabilities"):
        client.infer("churn-model", [tensor(rows(row, 1))], outputs=unknown)


def request_of(row: dict[str, object], **more: object) -> dict[str, object]:
    """A request as JSON, with members of its tensor changed."""
    entry = {"name": "features", "datatype": "FP64", "shape": [1, len(row)]}
    return {"inputs": [entry | {"data": list(row.values())} | more]}


def infer(server: Server, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"{server.url}/v2/models/churn-model/infer"
    return httpx.post(path, content=content, headers=headers)


def test_optional_members_may_be_null_as_other_servers_types_send_them(
    server: Server, row: dict[str, object]
) -> None:
    body = request_of(row, parameters=None) | {"id": None, "parameters": None, "outputs": None}
    answer = infer(server, body)
    assert answer.status_code == 200, answer.text
    assert "id" not in answer.json()
    assert infer(server, request_of(row) | {"id": ""}).json()["id"] == ""


def test_a_body_may_be_packed_by_gzip_and_a_bomb_is_refused(
    server: Server, row: dict[str, object]
) -> None:
    packed = gzip.compress(json.dumps(request_of(row)).encode())
    gz = {"content-encoding": "gzip"}
    assert infer(server, packed, **gz).status_code == 200
    named = httpx.post(
        f"{server.url}/predict", content=gzip.compress(json.dumps(row).encode()), headers=gz
    )
    assert named.status_code == 200
    bomb = gzip.compress(b" " * 50_000_000)
    assert infer(server, bomb, **gz).status_code == 413
    for broken in (packed[:-9], packed + packed):
        assert "cut off, or something follows" in infer(server, broken, **gz).json()["error"]
    assert infer(server, b"{}", **gz).json() == {"error": "the body is no gzip"}
    assert infer(server, packed, **{"content-encoding": "x-gzip"}).status_code == 200
    assert infer(server, request_of(row), **{"content-encoding": ""}).status_code == 200
    assert infer(server, packed, **{"content-encoding": "br"}).status_code == 415


def test_a_tensor_that_does_not_fit_is_told_what_of_it(
    server: Server, row: dict[str, object]
) -> None:
    whole = [float(round(float(str(value)))) for value in row.values()]
    wrong: dict[str, dict[str, object]] = {
        "the inputs are 'features' [rows, 10], or else a tensor each for mean_radius, ": {
            "name": "x"
        },
        "the datatype is one of FP32": {"datatype": "BYTES"},
        "the shape is [rows, 10], not [1, 9]": {"shape": [1, 9]},
        "the data must be whole numbers, as int64 says": {"datatype": "INT64"},
        "the data must be whole numbers, as uint8 says": {
            "datatype": "UINT8",
            "data": [300, *whole[1:]],
        },
        "the data must be whole numbers, as int8 says": {
            "datatype": "INT8",
            "data": [-129, *whole[1:]],
        },
        "the data must be numbers": {"data": [True, *whole[1:]], "datatype": "INT64"},
        "a number in the data is too large": {"data": [10**400, *whole[1:]]},
    }
    for message, more in wrong.items():
        answer = infer(server, request_of(row, **more))
        assert answer.status_code == 400
        assert message in answer.json()["error"]


def test_reading_where_only_a_question_may_be_put_is_405(server: Server) -> None:
    answer = httpx.get(f"{server.url}/v2/models/churn-model/infer")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
