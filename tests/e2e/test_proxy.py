"""The page about a proxy: its commands and its files are run in front of a project."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from tests.e2e.shop import Shop, wait_until
from tests.e2e.test_accidents import free_port, is_open
from tests.support import ROOT, sh

PAGE = (ROOT / "docs" / "proxy.md").read_text("utf-8")
NAME = "churn.example.com"
ADA = {"Authorization": "Basic " + base64.b64encode(b"ada:a long password").decode()}
# What the distribution's nginx.conf has around `conf.d`, for a folder of our own.
AROUND = """\
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""


def block(language: str, number: int = 0) -> str:
    """A fenced block of the page."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)[number]


def needs(name: str, package: str) -> str:
    """The path of a program. CI has it, a laptop may not."""
    if not (found := shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")):
        assert not os.environ.get("CI"), f"{name} is not installed"
        pytest.skip(f"{name} is not installed: apt install {package}")
    return found


@contextmanager
def program(*command: str | Path, port: int) -> Iterator[None]:
    """Run a server until the block ends."""
    with subprocess.Popen([str(word) for word in command]) as process:
        try:
            wait_until(lambda: is_open(port) or process.poll() is not None, 20, "listening")
            assert process.poll() is None
            yield
        finally:
            process.terminate()


@dataclass
class Door:
    """nginx in front of production: its ports, and the certificate that it shows."""

    port: int
    plain: int
    certificate: Path

    def connect(self) -> http.client.HTTPSConnection:
        """A connection that checks the certificate, as a client of another machine would."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection(NAME, self.port, context=context, timeout=10)
        connection._create_connection = lambda address, *rest: socket.create_connection(  # type: ignore[attr-defined]
            ("127.0.0.1", address[1]), *rest
        )
        return connection

    def ask(
        self, path: str, body: bytes | None = None, headers: dict[str, str] = ADA
    ) -> http.client.HTTPResponse:
        """One request on a connection of its own; the answer has been read."""
        connection = self.connect()
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer


@pytest.fixture
def door(shop: Shop, tmp_path: Path) -> Iterator[Door]:
    """What the page says to type, typed for a folder of our own and free ports."""
    found = Door(free_port(), free_port(), tmp_path / "churn.crt")

    def mine(text: str) -> str:
        text = text.replace("/etc/nginx", str(tmp_path)).replace("8003", str(shop.port()))
        text = text.replace("listen 443", f"listen 127.0.0.1:{found.port}")
        return text.replace("listen 80;", f"listen 127.0.0.1:{found.plain};")

    (tmp_path / "conf.d").mkdir()
    sh("bash", "-ec", mine(block("sh")), cwd=tmp_path)
    (tmp_path / "conf.d" / "churn.conf").write_text(mine(block("nginx")))
    (tmp_path / "nginx.conf").write_text(AROUND.format(folder=tmp_path))
    nginx = f"{needs('nginx', 'nginx-light')} -e {tmp_path}/error.log -c {tmp_path}/nginx.conf"
    with program(*nginx.split(), "-g", "daemon off;", port=found.port):
        at = f"--resolve {NAME}:{found.port}:127.0.0.1 -fsS"
        curl = mine(block("sh", 2)).replace("curl", f"curl {at}")
        said = sh("bash", "-ec", curl.replace(NAME + "/", f"{NAME}:{found.port}/"), cwd=tmp_path)
        assert json.loads(said)["release"] == shop.served()
        yield found
        sh("bash", "-ec", block("sh", 1).replace("nginx", nginx))


def test_the_proxy_of_the_page_lets_in_who_may_and_only_to_what_is_for_them(
    shop: Shop, door: Door
) -> None:
    row = json.dumps(shop.row).encode()
    assert door.ask("/predict", row).status == 200
    assert door.ask("/predict", row, {}).status == 401
    wrong = {"Authorization": "Basic " + base64.b64encode(b"ada:guess").decode()}
    assert door.ask("/predict", row, wrong).status == 401
    assert door.ask("/v2/health/ready", headers={}).status == 200
    assert door.ask("/metrics").status == 404
    assert door.ask("/docs").status == 200
    assert door.ask("/predict", b"[" + b" " * 990_000 + b"]").status == 422, "the server's own"
    assert door.ask("/predict", b"[" + b" " * 1_100_000 + b"]").status == 413
    other = ADA | {"x-release": shop.other()}
    assert door.ask("/v2/health/ready", headers=other).getheader("x-release") == shop.served()
    mine = door.ask("/v2/health/ready", headers=ADA | {"x-request-id": "my-own"})
    assert mine.getheader("x-request-id") == "my-own"
    with socket.create_connection(("127.0.0.1", door.plain)) as plain:
        plain.sendall(f"POST /predict HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        assert plain.recv(100).startswith(b"HTTP/1.1 308")


def test_a_deploy_and_a_rollback_behind_the_proxy_lose_no_request(shop: Shop, door: Door) -> None:
    row, ended = json.dumps(shop.row).encode(), Event()

    def client(close: bool) -> Counter[str]:
        tally, connection = Counter[str](), door.connect()
        while not ended.is_set():
            headers = ADA | ({"Connection": "close"} if close else {})
            connection.request("POST", "/predict", row, headers)
            answer = connection.getresponse()
            answer.read()
            tally[f"{answer.status} {answer.getheader('x-release')}"] += 1
        return tally

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(client, number % 2 == 0) for number in range(4)]
        try:
            before = shop.served()
            shop.deploy("production", after := shop.other())
            time.sleep(0.5)
            assert shop.ops("rollback", "--env", "production").returncode == 0
            time.sleep(0.5)
        finally:
            ended.set()
        answers = sum((each.result() for each in clients), Counter[str]())
    assert set(answers) == {f"200 {before}", f"200 {after}"}


def test_haproxy_as_the_page_has_it_finds_the_server_well_and_asks_it(
    shop: Shop, tmp_path: Path
) -> None:
    needs("haproxy", "haproxy")
    port, file = free_port(), tmp_path / "haproxy.cfg"
    limits = "".join(f"    timeout {kind} 35s\n" for kind in ("connect", "client", "server"))
    front = f"frontend in\n    mode http\n    bind 127.0.0.1:{port}\n    default_backend churn\n"
    backend = block("haproxy").replace("8003", str(shop.port()))
    file.write_text(f"defaults\n{limits}{front}{backend}")

    def ask() -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/v2/health/ready", headers={"x-release": shop.other()})
        answer = connection.getresponse()
        return answer.status, answer.getheader("x-release")

    with program("haproxy", "-f", file, port=port):
        time.sleep(2)  # a server is taken for well until its first checks
        assert ask() == (200, shop.served())


def test_ab_which_speaks_http_1_0_gets_an_answer_to_every_request(
    shop: Shop, tmp_path: Path
) -> None:
    needs("ab", "apache2-utils")
    (tmp_path / "row").write_text(json.dumps(shop.row))
    url = f"http://127.0.0.1:{shop.port()}/predict"
    for kept in ([], ["-k"]):
        words = ("ab", "-q", "-n", "100", "-c", "4", *kept, "-p", "row", "-T", "application/json")
        said = sh(*words, url, cwd=tmp_path)
        assert re.search(r"Complete requests: +100\n", said), said
        assert "Non-2xx" not in said and re.search(r"Failed requests: +0\n", said), said
