"""kill -9 of anything at any time, broken files, busy ports: what was up stays up or comes back."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.load import load
from tests.e2e.shop import Shop, kill, wait_until
from tests.e2e.test_deploy import BOTH
from tests.support import run, sh


def answers(path: str) -> bool:
    """Whether the server on a Unix socket is ready."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            connection.sendall(b"GET /v2/health/ready HTTP/1.0\r\n\r\n")
            return connection.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


KILLS = int(os.environ.get("KILLS", "100"))


def test_a_deploy_killed_at_any_instant_leaves_a_release_serving_and_the_next_one_goes_through(
    shop: Shop,
) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)

    def kill_deploys(environment: str) -> None:
        chance, known, killed = random.Random(f"{seed} {environment}"), set(shop.releases), 0
        started = time.monotonic()
        shop.deploy(environment, shop.other(environment))
        takes = time.monotonic() - started  # seconds; later there would be nothing left to kill
        with load(shop.port(environment), shop.row, connections=2, pause=0.01) as under_way:
            while killed < KILLS / 2:
                words = ("deploy", "--env", environment, "--release", shop.other(environment))
                process = shop.start(*words)
                time.sleep(chance.uniform(0, takes))
                kill(process)
                killed += process.wait() == -9
                assert shop.served(environment) in known, process.stdout and process.stdout.read()
                if killed % 10 == 0:
                    shop.deploy(environment, shop.other(environment))
        assert under_way.end().failures == {}
        shop.deploy(environment, shop.other(environment))

    with ThreadPoolExecutor() as both:
        list(both.map(kill_deploys, ("test", "staging")))


@BOTH
def test_a_killed_server_costs_no_request_and_is_soon_back(shop: Shop) -> None:
    release = shop.served()
    server = shop.server(release)
    path = server.cmdline()[-1]
    with load(shop.port(), shop.row, pause=0.005) as under_way:
        time.sleep(1 if shop.runtime == "process" else 6)  # it may have come up just now
        patience = max(2 if shop.runtime == "process" else 6, shop.patience())
        kill(server)
        wait_until(lambda: not answers(path), patience / 2, "dying")
        wait_until(lambda: answers(path), patience, "coming back")
    assert under_way.end().failures == {}
    said = shop.ops("status").stdout
    assert "2/2 ready" in said and f"{release}-0 had ended; it was started again" in said, said


def test_after_envoy_is_killed_the_supervisor_brings_it_back(shop: Shop) -> None:
    release = shop.served()
    [door] = [p for p in shop.processes() if p.name() == "envoy"]
    kill(door)
    wait_until(lambda: not door.is_running(), 10, "dying")
    done = shop.ops("up", "--env", "production")
    assert done.returncode == 0, done.stderr
    assert shop.served() == release


def test_up_takes_longer_on_a_machine_that_is_far_too_busy_and_does_not_fail(shop: Shop) -> None:
    release = shop.served()
    assert shop.ops("down").returncode == 0
    words = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(words) for _ in range(13)]  # the load average follows a minute later
    try:
        done = shop.ops("up", seconds=300)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.served() == release
    assert shop.status()["health"].endswith("/2 ready")


@BOTH
def test_a_server_that_hangs_costs_no_request_is_named_and_started_anew_by_up(shop: Shop) -> None:
    release = shop.served()
    server = shop.server(release, 1)  # not the one that a test has just killed
    path = server.cmdline()[-1]
    time.sleep(11 - min(time.time() - server.create_time(), 11))  # a new one may just be slow
    with load(shop.port(), shop.row, connections=8, pause=0.02) as under_way:
        server.suspend()
        time.sleep(5)
    tally = under_way.end()
    assert tally.failures == {}
    assert tally.slowest < max(3, shop.patience())
    facts = shop.status()
    assert facts["health"] == "1/2 ready"
    assert [text for text in facts["remarks"] if text.startswith(f"{release}-1 hangs")]
    done = shop.ops("up", "--env", "production")
    assert done.returncode == 0, done.stderr
    assert f"{release}-1 hung" in done.stdout
    wait_until(lambda: answers(path), 60, "coming back")


def test_when_all_servers_are_silent_for_seconds_they_are_waited_for(shop: Shop) -> None:
    servers = [shop.server(shop.served(), number) for number in range(2)]
    with load(shop.port(), shop.row, connections=4, pause=0.05) as under_way:
        for server in servers:
            server.suspend()
        time.sleep(5)
        for server in servers:
            server.resume()
        time.sleep(1)
    tally = under_way.end()
    assert tally.failures == {}
    assert tally.slowest > 4


@BOTH
def test_after_the_supervisor_is_killed_up_takes_over_what_serves_and_no_request_is_lost(
    shop: Shop,
) -> None:
    release = shop.served()

    def serving() -> list[int]:
        door = [process for process in shop.processes() if process.name() == "envoy"]
        return [process.pid for process in (*door, *(shop.server(release, n) for n in range(2)))]

    before = serving()
    for _ in range(2):  # whoever took over may be killed as well
        with load(shop.port(), shop.row, connections=8, pause=0.01) as under_way:
            kill(shop.processes()[0])
            wait_until(lambda: shop.status()["health"] == "unwatched", 30, "the kill")
            assert shop.ops("up", "--env", "production").returncode == 0
        assert under_way.end().failures == {}
        assert serving() == before
        assert shop.status()["health"] == "2/2 ready"
    server = shop.server(release)
    path = server.cmdline()[-1]
    kill(server)
    wait_until(lambda: answers(path), 60, "coming back under the new supervisor")
    shop.deploy("production", shop.other())
    assert shop.served() != release


@BOTH
def test_after_a_reboot_up_brings_everything_back(shop: Shop) -> None:
    releases = {name: shop.served(name) for name in ("test", "staging", "production")}
    for name in releases:
        for process in shop.processes(name):
            kill(process)
    assert "down" in shop.status()["health"]
    done = shop.make("up")
    assert done.returncode == 0, done.stderr
    assert {name: shop.served(name) for name in releases} == releases


@BOTH
def test_down_stops_everything_and_says_what(shop: Shop) -> None:
    release = shop.served()
    done = shop.make("down")
    assert done.returncode == 0, done.stderr
    [line] = [text for text in done.stdout.splitlines() if text.startswith("production: stopped")]
    assert all(
        word in line for word in (f"{release}-0 (pid", f"{release}-1", "envoy", "supervisor")
    )
    assert not any(shop.processes(name) for name in ("test", "staging", "production"))
    again = shop.make("down")
    assert again.returncode == 0 and "nothing ran" in again.stdout
    assert shop.make("up").returncode == 0
    assert shop.served() == release


def test_a_deleted_spare_stops_nothing_and_a_rollback_to_it_is_refused(shop: Shop) -> None:
    for release in shop.releases[:2]:
        if shop.served("test") != release:
            shop.deploy("test", release)
    serving, spare = shop.served("test"), shop.status("test")["previous"]
    folder = shop.path / ".state" / "releases" / spare
    away = folder.rename(shop.path / ".state" / "away")
    state = shop.path / ".state" / "test" / "state.json"
    history = json.loads(state.read_text())["history"]
    try:
        for verb in ("down", "up"):
            assert shop.ops(verb, "--env", "test").returncode == 0
        assert shop.served("test") == serving
        state.write_text(json.dumps({"history": [spare, serving]}))
        refused = shop.ops("rollback", "--env", "test")
        assert refused.returncode == 1 and "only release" in refused.stderr
        assert shop.served("test") == serving
    finally:
        away.rename(folder)
        state.write_text(json.dumps({"history": history}))


def test_a_release_whose_python_is_gone_does_not_keep_the_next_one_out(shop: Shop) -> None:
    ill, well = shop.served("test"), shop.other("test")
    python = shop.path / ".state" / "releases" / ill / "venv" / "bin" / "python"
    python.unlink()
    for name in ("staging", "production"):
        if shop.served(name) == ill:
            shop.deploy(name, well)
    for process in shop.processes("test")[1:]:
        if process.name() != "envoy":
            kill(process)
    shop.deploy("test", well)
    assert shop.served("test") == well
    assert shop.ops("rollback", "--env", "test").returncode == 0, "it is installed anew"
    assert shop.served("test") == ill


def test_a_project_that_was_moved_while_it_was_up_goes_on_after_up(shop: Shop) -> None:
    releases = {name: shop.served(name) for name in ("test", "staging", "production")}
    home, new = shop.path, shop.path.with_name("moved")
    kill(shop.processes("staging")[0])  # and one supervisor is gone as well
    home.rename(new)
    try:
        shop.path = new
        assert shop.ops("up").returncode == 0
        assert {name: shop.served(name) for name in releases} == releases
        hook = ("-m", "pre_commit", "run", "merge-markers", "--all-files")
        sh(shop.python, *hook, cwd=shop.path)
        assert shop.ops("down").returncode == 0
        assert not any(shop.processes(name) for name in releases)
    finally:
        new.rename(home)
        shop.path = home
        sh("uv", "sync", "--locked", "--quiet", cwd=home)  # as every make verb does
    assert shop.ops("up").returncode == 0
    assert {name: shop.served(name) for name in releases} == releases


@pytest.mark.parametrize("text", ["", "{", "[]", '{"history": [1]}', '{"weight": 100}'])
def test_a_broken_state_file_is_named_with_its_repair(shop: Shop, text: str) -> None:
    path = shop.path / ".state/test/state.json"
    whole = path.read_text()
    try:
        path.write_text(text)
        for verb in ("up", "rollback", "deploy"):
            done = shop.ops(verb, "--env", "test")
            assert done.returncode == 1, verb
            assert str(path) in done.stderr and "make down ENV=test" in done.stderr
            assert len(done.stderr.splitlines()) == 2, done.stderr
        said = shop.ops("status").stdout
        assert f"test: {path} is broken" in said
        assert "2/2 ready" in said, "the other environments are shown all the same"
    finally:
        path.write_text(whole)


def test_a_busy_port_is_named_with_its_owner_and_the_line_to_change(shop: Shop) -> None:
    port = free_port()
    code = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    thief = subprocess.Popen([sys.executable, "-c", code])
    release = shop.served("test")
    try:
        wait_until(lambda: is_open(port), 10, "taking the port")
        with shop.setting("test", "port", str(port)):
            while_up = shop.ops("up", "--env", "test")
            assert shop.ops("down", "--env", "test").returncode == 0
            while_down = shop.ops("up", "--env", "test")
            lines = (shop.path / "ops/environments.toml").read_text().splitlines()
    finally:
        thief.kill()
        thief.wait()
        assert shop.ops("up", "--env", "test").returncode == 0
    line = 1 + lines.index(next(text for text in lines if text.startswith(f"port = {port}")))
    for done in (while_up, while_down):
        assert done.returncode == 1
        assert f"port {port} of test cannot be used" in done.stderr
        assert f"pid {thief.pid}" in done.stderr and f"line {line}" in done.stderr
    assert shop.served("test") == release


def test_a_moved_port_is_applied_by_the_next_up(shop: Shop) -> None:
    release = shop.served("test")
    with shop.setting("test", "port", str(free_port())):
        assert shop.ops("up", "--env", "test").returncode == 0
        assert shop.served("test") == release
    assert shop.ops("up", "--env", "test").returncode == 0
    assert shop.served("test") == release


@pytest.mark.parametrize("host", ["127.0.0.2", "::"])
def test_an_environment_listens_on_the_address_that_it_is_given(shop: Shop, host: str) -> None:
    release, port = shop.served("test"), free_port()
    with shop.setting("test", "port", f'{port}\nhost = "{host}"'):
        done = shop.ops("up", "--env", "test")
        assert done.returncode == 0, done.stderr
        facts = shop.status("test")
        assert shop.ops("rollback", "--env", "test").returncode == 0, "it asks there too"
        assert is_open(port) == (host == "::"), "where it is asked for, and nowhere else"
    assert facts["health"] == "1/1 ready"
    assert facts["url"] == f"http://{'[::1]' if host == '::' else host}:{port}"
    shop.deploy("test", release)


def test_an_address_of_another_machine_is_told_from_a_busy_port(shop: Shop) -> None:
    release, port = shop.served("test"), free_port()
    with shop.setting("test", "port", f'{port}\nhost = "192.0.2.1"'):
        done = shop.ops("up", "--env", "test")
    assert done.returncode == 1
    assert "test cannot listen on 192.0.2.1: Cannot assign" in done.stderr
    assert "change its host in ops/environments.toml" in done.stderr
    assert shop.ops("up", "--env", "test").returncode == 0
    assert shop.served("test") == release


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Let a folder lie on a disk of its own, of 8 MB."""
    beside = folder.with_name("on another disk")
    folder.rename(beside)
    folder.mkdir()
    if run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder).returncode:
        folder.rmdir()
        beside.rename(folder)
        assert not os.environ.get("CI"), "a test machine may mount"
        pytest.skip("only root may mount a small disk")
    try:
        sh("cp", "-a", f"{beside}/.", folder)
        yield
    finally:
        sh("umount", "--lazy", folder)
        folder.rmdir()
        beside.rename(folder)


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_on_a_full_disk_what_serves_goes_on_and_a_rollback_works(shop: Shop) -> None:
    def ask(path: str, body: bytes | None = None) -> int:
        try:
            url = f"http://127.0.0.1:{shop.port('test')}{path}"
            with urllib.request.urlopen(url, body, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    folder = shop.path / ".state/test"
    assert shop.ops("down", "--env", "test").returncode == 0
    with small_disk(folder):
        assert shop.ops("up", "--env", "test").returncode == 0
        before = shop.served("test")
        shop.deploy("test", now := shop.other("test"))
        fill(folder / "core")
        full = [ask("/predict", json.dumps(shop.row).encode()) for _ in range(20)]
        assert full == [200] * 20
        # What was never counted or logged before needs room too.
        assert [ask("/nowhere"), ask("/predict", b"{}"), ask("/metrics")] == [404, 422, 200]
        kill(next(p for p in shop.processes("test") if now in " ".join(p.cmdline())))
        wait_until(lambda: shop.status("test")["health"] == "1/1 ready", 60, "coming back")
        assert ask("/predict", json.dumps(shop.row).encode()) == 200
        done = shop.ops("rollback", "--env", "test", "--why", "the disk is full")
        assert done.returncode == 0, done.stderr
        assert shop.served("test") == before
        assert shop.audit("test")[-1]["why"] == "the disk is full"
        (folder / "reserve").unlink()
        fill(folder / "more")
        refused = shop.ops("deploy", "--env", "test", "--release", now)
        assert refused.returncode == 1
        assert "No space left" in refused.stderr and "make room" in refused.stderr
        assert shop.served("test") == before
        assert shop.ops("down", "--env", "test").returncode == 0
    assert shop.ops("up", "--env", "test").returncode == 0


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
