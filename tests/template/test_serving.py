"""The server as the world treats it: bad input, clients that leave, and SIGTERM."""

import json
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import run
from tests.template.conftest import PACKAGE, Server, python, serving

Row = dict[str, object]


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def test_the_example_in_the_documentation_really_predicts(server: Server, row: Row) -> None:
    paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    examples = paths["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert examples["one row"]["value"] == row
    for example in examples.values():
        answer = httpx.post(f"{server.url}/predict", json=example["value"])
        assert answer.status_code == 200
    assert httpx.get(f"{server.url}/docs").status_code == 200


def test_the_content_type_does_not_matter(server: Server, row: Row) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "nonsense"):
        body = json.dumps(row)
        answer = httpx.post(f"{server.url}/predict", content=body, headers={"content-type": kind})
        assert answer.status_code == 200


def test_version_says_what_runs(server: Server, model: Path) -> None:
    version = httpx.get(f"{server.url}/version").json()
    facts = json.loads((model / "model.json").read_text())
    assert version["release"] == "r-1"
    for name in ("name", "commit", "model_sha256", "data_fingerprint", "created", "expires"):
        assert version[name] == facts[name]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"3", 422),
        (b'"\xff"', 422),
        (b'"\\ud800"', 422),
        (b'{"a":' * 50_000, 422),
        (b"[" * 400_000, 422),
        (b"9" * 100_000, 422),
        (b"[" + b"{}," * 1000 + b"{}]", 422),
        (b" " * 1_000_001, 413),
    ],
)
def test_a_bad_body_is_refused_and_says_why(server: Server, body: bytes, status: int) -> None:
    answer = httpx.post(f"{server.url}/predict", content=body)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_a_body_without_a_length_is_cut_off_when_it_is_too_large(server: Server) -> None:
    answer = httpx.post(f"{server.url}/predict", content=(b" " * 65536 for _ in range(20)))
    assert answer.status_code == 413


def test_a_wrong_method_or_path_is_the_clients_fault(server: Server) -> None:
    assert httpx.get(f"{server.url}/predict").status_code == 405
    assert httpx.get(f"{server.url}/nothing").status_code == 404
    assert "error" in httpx.get(f"{server.url}/v2/nothing").json()


@pytest.mark.parametrize("given", ["a" * 65, "with space", "semi;colon", '"quoted"', "line\tbreak"])
def test_an_unsafe_request_id_is_replaced(server: Server, given: str) -> None:
    answer = httpx.get(f"{server.url}/version", headers={"x-request-id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_a_safe_request_id_is_kept_and_logged_once_without_values(server: Server, row: Row) -> None:
    name = "a" * 60 + "-._Z"
    odd = row | {"mean_radius": 13.370071}
    answer = httpx.post(f"{server.url}/predict", json=odd, headers={"x-request-id": name})
    assert answer.headers["x-request-id"] == name
    httpx.get(f"{server.url}/version")
    (line,) = [line for line in lines(server) if line.get("request_id") == name]
    keys = {"time", "level", "request_id", "method", "path", "status", "ms", "release"}
    assert set(line) == keys
    assert "13.370071" not in server.log.read_text()


def test_a_client_that_leaves_in_the_middle_is_no_error(server: Server) -> None:
    with socket.create_connection(server.address) as client:
        head = b"POST /predict HTTP/1.1\r\nhost: x\r\nx-request-id: left\r\n"
        client.sendall(head + b'content-length: 900\r\n\r\n{"mean_')
        time.sleep(0.2)
    for _ in range(500):
        if found := [line for line in lines(server) if line.get("request_id") == "left"]:
            break
        time.sleep(0.02)
    assert [(line["level"], line["status"]) for line in found] == [("info", 499)]


def samples(text: str, name: str, **labels: str) -> list[float]:
    """The values that a page of metrics has under a name, with at least these labels."""
    found = []
    for line in text.splitlines():
        if match := re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line):
            has = dict(re.findall(r'(\w+)="([^"]*)"', match[1]))
            if has | labels == has:
                found.append(float(match[2]))
    return found


def scraped(server: Server) -> str:
    return httpx.get(f"{server.url}/metrics").text


COUNT = "http_request_duration_seconds_count"
MINE = {"release": "r-1", "traffic": "client"}


def test_metrics_tell_routes_statuses_and_the_model(server: Server, row: Row) -> None:
    httpx.post(f"{server.url}/predict", json=[row, row])
    for place in ("v2/models", "static-offline-docs"):
        httpx.get(f"{server.url}/{place}/some-name-{time.time()}")
    text = scraped(server)
    assert samples(text, COUNT, method="POST", route="/predict", status="200", **MINE)
    assert samples(text, COUNT, route="unknown", status="404", **MINE)
    assert "some-name" not in text
    assert samples(text, "model_info", release="r-1") == [1.0]
    assert samples(text, "predictions_total", **MINE)


def test_rows_that_come_as_tensors_count_and_what_the_pipeline_asks_counts_apart(
    server: Server, row: Row
) -> None:
    def counted(**labels: str) -> float:
        return sum(samples(scraped(server), "predictions_total", release="r-1", **labels))

    clients, probes = counted(traffic="client"), counted(traffic="probe")
    tensor = {"name": "features", "datatype": "FP64", "shape": [3, len(row)]}
    body = {"inputs": [tensor | {"data": [list(row.values())] * 3}]}
    path = f"{server.url}/v2/models/churn-model/infer"
    assert httpx.post(path, json=body).status_code == 200
    assert counted(traffic="client") == clients + 3
    httpx.post(f"{server.url}/predict", json=row, headers={"x-probe": "1"}).raise_for_status()
    assert (counted(traffic="client"), counted(traffic="probe")) == (clients + 3, probes + 1)


def test_refused_rows_count_by_field_and_cause_and_no_name_of_a_clients_is_kept(
    server: Server, row: Row
) -> None:
    def counted(field: str, cause: str) -> float:
        found = samples(scraped(server), "refused_rows_total", field=field, cause=cause, **MINE)
        return sum(found)

    wanted = {("mean_radius", "value"): 1, ("mean_texture", "missing"): 1, ("", "unknown"): 1}
    wanted |= {("", "body"): 4}
    before = {key: counted(*key) for key in wanted}
    bad = row | {"mean_radius": -1, "secret_field": 1}
    del bad["mean_texture"]
    for content in (json.dumps([row, bad]), "{"):
        assert httpx.post(f"{server.url}/predict", content=content).status_code == 422
    path = f"{server.url}/v2/models/churn-model/infer"
    for content, status in (("{", 400), ('{"inputs": []}', 400), ("9" * 2_000_000, 413)):
        assert httpx.post(path, content=content).status_code == status
    assert {key: counted(*key) - before[key] for key in wanted} == wanted
    assert "secret_field" not in scraped(server)


def test_the_documentation_needs_no_other_server(server: Server) -> None:
    page = httpx.get(f"{server.url}/docs").text
    needed = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(needed) >= 3
    for path in needed:
        assert path.startswith("/") and not path.startswith("//"), path
        assert len(httpx.get(server.url + path).raise_for_status().content) > 1000


@pytest.mark.parametrize("path", ["/v2/health/ready", "/v2", "/version", "/metrics", "/docs"])
def test_head_works_where_get_does(server: Server, path: str) -> None:
    head, get = httpx.head(server.url + path), httpx.get(server.url + path)
    assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert httpx.head(f"{server.url}/predict").status_code == 405


def test_processes_that_share_a_folder_count_together_and_outlive_each_other(
    project: Path, model: Path, row: Row, tmp_path: Path
) -> None:
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "not" / "made" / "yet")}

    def counted(server: Server) -> list[float]:
        text = scraped(server)
        assert samples(text, "model_info", release="r-1") == [1.0]
        asked = samples(text, COUNT, method="POST", route="/predict", status="200", **MINE)
        return [*asked, *samples(text, "predictions_total", **MINE)]

    with serving(project, model, tmp_path / "a", **shared) as first:
        with serving(project, model, tmp_path / "b", **shared) as second:
            for server in (first, second, second):
                assert httpx.post(f"{server.url}/predict", json=[row, row]).status_code == 200
            assert counted(first) == counted(second) == [3.0, 6.0]
        assert counted(first) == [3.0, 6.0]  # a counter never goes back


def test_an_answer_is_written_at_once_so_that_none_is_ever_cut_in_half(
    server: Server, row: Row
) -> None:
    counters = Path(f"/proc/{server.process.pid}/io")
    if not counters.exists():
        pytest.skip("only Linux counts what a process writes")

    def writes() -> int:
        return int(counters.read_text().partition("syscw: ")[2].split()[0])

    with httpx.Client(base_url=server.url) as client:
        client.post("/predict", json=row)
        before = writes()
        for _ in range(50):
            assert client.post("/predict", json=row).status_code == 200
        assert writes() - before <= 2 * 50 + 1, "an answer and a line of the log for each"


def test_sigterm_lets_a_running_request_finish(
    project: Path, model: Path, row: Row, tmp_path: Path
) -> None:
    body = json.dumps(row).encode()
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    with serving(project, model, tmp_path / "log") as server:
        with socket.create_connection(server.address) as client:
            client.settimeout(10)
            client.sendall(head + body[:20])
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(OSError, match="refused"):
                for _ in range(100):
                    time.sleep(0.1)
                    socket.create_connection(server.address).close()
            assert server.process.poll() is None
            client.sendall(body[20:])
            answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        assert server.process.wait(timeout=10) in {0, -signal.SIGTERM}
        assert all(line["level"] == "info" for line in lines(server))


def test_a_server_without_a_model_says_what_to_do(project: Path, tmp_path: Path) -> None:
    argv = (python(project), "-m", f"{PACKAGE}.serve", "--model", tmp_path)
    done = run(*argv, cwd=project)
    assert done.returncode == 1
    assert done.stderr == f"error: there is no model.json in {tmp_path}\n  try: make train\n"
