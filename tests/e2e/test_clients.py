"""What real clients, proxies and monitors send to an environment's port."""

from __future__ import annotations

import http.client
import json
import socket
import time

import pytest

from tests.e2e.shop import Shop


def say(port: int, text: str, body: str = "") -> str:
    """Send a request as it stands, and return the whole answer: the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(text.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.encode())
        parts = []
        while data := connection.recv(65536):
            parts.append(data)
    return b"".join(parts).decode()


@pytest.mark.parametrize("host", ["", "\nHost: churn"], ids=["haproxy's check", "nginx and ab"])
def test_http_1_0_is_answered_with_and_without_a_host(shop: Shop, host: str) -> None:
    ready = say(shop.port(), f"GET /v2/health/ready HTTP/1.0{host}")
    assert ready.split()[1] == "200"
    row = json.dumps(shop.row)
    asked = f"POST /predict HTTP/1.0{host}\nContent-Length: {len(row)}"
    answer = say(shop.port(), asked, row)
    assert answer.split()[1] == "200"
    assert "prediction" in answer


def test_nobody_outside_chooses_the_release_or_hides_from_the_counters(shop: Shop) -> None:
    spare = shop.other()
    door = http.client.HTTPConnection("127.0.0.1", shop.port(), timeout=10)
    for name in (spare, "no-such-release"):
        door.request("GET", "/version", headers={"x-release": name, "x-probe": "1"})
        answer = door.getresponse()
        assert json.load(answer)["release"] == answer.headers["x-release"] == shop.served()


def test_a_client_that_sends_a_byte_a_second_does_not_hold_up_a_rollback(shop: Shop) -> None:
    shop.deploy("production", shop.other())
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"
    with socket.create_connection(("127.0.0.1", shop.port())) as trickle:
        trickle.sendall(head + b"[")
        rollback = shop.start("rollback", "--env", "production", "--why", "a slow client")
        started = time.monotonic()
        while rollback.poll() is None:
            assert time.monotonic() - started < 20
            time.sleep(1)
            try:
                trickle.sendall(b" ")
            except OSError:
                break  # it was told to go
        assert rollback.wait(20) == 0
