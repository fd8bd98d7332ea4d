"""Deploys and rollbacks under load, and releases that must not get in."""

from __future__ import annotations

import json
import os
import signal
import time
from itertools import cycle

import pytest

from tests.e2e.load import load
from tests.e2e.shop import Shop, kill, wait_until
from tests.support import run

FAULTS = [
    ("ends", "start", "the weights are missing"),
    ("hangs", "start", "0 of 2 processes"),
    ("wrong", "smoke", "golden row"),
    ("slow", "smoke", "95th percentile"),
    ("broken version", "acceptance", "acceptance"),
]

BOTH = pytest.mark.parametrize("runtime", ["process", "container"], scope="module")


@BOTH
@pytest.mark.parametrize("close", [False, True], ids=["keep-alive", "connection-close"])
def test_deploys_in_a_row_lose_no_request(shop: Shop, close: bool) -> None:
    with load(shop.port(), shop.row, connections=16, close=close, pause=0.005) as under_way:
        for _ in range(3 if shop.runtime == "process" else 2):
            shop.deploy("production", shop.other())
        rolled = shop.ops("rollback", "--env", "production")
    tally = under_way.end()
    assert rolled.returncode == 0, rolled.stderr
    assert tally.failures == {}
    assert tally.ok > 1000
    assert all(tally.releases[release] for release in shop.releases[:2]), tally.releases


def test_a_slow_trickle_over_many_connections_loses_no_request(shop: Shop) -> None:
    started = time.monotonic()
    with load(shop.port(), shop.row, connections=300, pause=1.0) as under_way:
        while time.monotonic() - started < 15:
            shop.deploy("production", shop.other())
    assert under_way.end().failures == {}
    assert under_way.end().ok > 300 * 10


@BOTH
def test_a_rollback_is_answered_by_the_old_release_within_a_second(shop: Shop) -> None:
    before = shop.served()
    shop.deploy("production", shop.other())
    with load(shop.port(), shop.row, connections=16, pause=0.05) as under_way:
        patience = shop.patience()
        started = time.monotonic()
        process = shop.start("rollback", "--env", "production", "--why", "it smells")
        while shop.served() != before:
            assert time.monotonic() - started < 30
        seconds = time.monotonic() - started
        assert process.wait(30) == 0
    assert under_way.end().failures == {}
    assert seconds < max(1.0 if shop.runtime == "process" else 2.5, patience)
    last = shop.audit()[-1]
    assert (last["action"], last["release"], last["why"]) == ("rollback", before, "it smells")


@BOTH
@pytest.mark.parametrize(("word", "step", "cause"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_bad_release_is_refused_and_production_goes_on(
    shop: Shop, word: str, step: str, cause: str
) -> None:
    before = shop.served()
    bad = shop.releases[2]
    with (
        shop.setting("verify", "ready_seconds", "5" if word == "hangs" else "120"),
        shop.setting("verify", "latency_ms", "40" if word == "slow" else "250"),
        shop.fault(word),
        load(shop.port(), shop.row, pause=0.05) as under_way,
    ):
        done = shop.ops("deploy", "--env", "production", "--release", bad)
    assert done.returncode == 1
    failed = [line.split()[1:3] for line in done.stdout.splitlines() if "failed" in line]
    assert failed == [[step, "failed"]], done.stdout
    assert cause in done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    tally = under_way.end()
    assert tally.failures == {}
    assert set(tally.releases) == {before}
    assert shop.served() == before
    facts = json.loads((shop.path / f".state/releases/{bad}/release.json").read_text())
    assert facts["environments"]["production"]["result"].startswith("failed")


@BOTH
def test_a_canary_that_is_slower_than_the_old_release_is_taken_out(shop: Shop) -> None:
    before = shop.served()
    with (
        shop.setting("verify", "latency_ms", "1000"),
        shop.setting("verify", "slack_ms", "20"),
        shop.setting("verify", "latency_ratio", "1.5"),
        shop.setting("verify", "requests", "10"),
        shop.fault("slow"),
        load(shop.port(), shop.row, connections=4, pause=0.05) as under_way,
    ):
        done = shop.ops("deploy", "--env", "production", "--release", shop.releases[2])
    assert done.returncode == 1
    assert "canary 10 %" in done.stdout and "the old one" in done.stderr, done.stdout + done.stderr
    assert under_way.end().failures == {}
    assert shop.served() == before


def test_a_deploy_that_is_told_more_than_once_to_stop_still_puts_things_right(shop: Shop) -> None:
    before, bad = shop.served(), shop.releases[2]
    state = shop.path / ".state/production/state.json"
    os.utime(state, (time.time() - 3 * 86400,) * 2)
    with shop.setting("verify", "ready_seconds", "60"), shop.fault("hangs"):
        deploy = shop.start("deploy", "--env", "production", "--release", bad)
        wait_until(lambda: bad in state.read_text(), 30, "the start")
        for number in cycle((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
            if deploy.poll() is not None:
                break
            deploy.send_signal(number)
            time.sleep(0.02)  # the undo takes longer
        said = deploy.communicate(timeout=60)[0]
    assert deploy.returncode, said  # 130, or the signal that came when all was done
    assert f"{before} serves, as before" in said
    assert bad not in state.read_text()
    assert shop.served() == before
    facts = shop.status()
    assert facts["since"] == "3 d", "what failed did not serve"
    assert not [remark for remark in facts["remarks"] if "started again" in remark]


def test_a_reader_that_goes_away_is_no_fault_of_status_but_may_hide_what_up_says(
    shop: Shop,
) -> None:
    for verb, code in (("status", 0), ("up", 1)):
        script = f"'{shop.python}' -m ops {verb} | true; echo ${{PIPESTATUS[0]}}"
        done = run("bash", "-c", script, cwd=shop.path)
        assert (done.stdout, done.stderr) == (f"{code}\n", ""), verb


def test_an_environment_takes_only_what_passed_the_one_before(shop: Shop) -> None:
    shop.commit("Never tested")
    untested = shop.build()
    for environment in ("staging", "production"):
        done = shop.ops("deploy", "--env", environment, "--release", untested)
        assert done.returncode == 1
        assert f"{untested} has not passed" in done.stderr
        assert "make deploy ENV=" in done.stderr


def test_a_wheel_that_was_changed_after_the_build_is_refused(shop: Shop) -> None:
    release = shop.other()
    [wheel] = (shop.path / f".state/releases/{release}").glob("*.whl")
    original = wheel.read_bytes()
    try:
        wheel.write_bytes(original + b"x")
        done = shop.ops("deploy", "--env", "test", "--release", release)
    finally:
        wheel.write_bytes(original)
    assert done.returncode == 1
    assert "is not the file that was built" in done.stderr


def test_a_second_deploy_at_the_same_time_is_refused_naming_the_first(shop: Shop) -> None:
    release = shop.other()
    first = shop.start("deploy", "--env", "production", "--release", release, "--why", "payday")
    lock = shop.path / ".state/production/lock"
    while not lock.read_text():
        time.sleep(0.01)
    second = shop.ops("deploy", "--env", "production", "--release", release)
    assert first.wait(60) == 0
    assert second.returncode == 1
    assert "production is being changed by" in second.stderr
    assert (
        "payday" in second.stderr and "since" in second.stderr and str(first.pid) in second.stderr
    )


def test_rolling_back_twice_goes_back_twice_and_then_says_there_is_no_more(shop: Shop) -> None:
    for _ in range(2):
        shop.deploy("test", shop.other("test"))
    history = json.loads((shop.path / ".state/test/state.json").read_text())["history"]
    for expected in reversed(history[:-1]):
        done = shop.ops("rollback", "--env", "test")
        assert done.returncode == 0, done.stderr
        assert shop.served("test") == expected
    last = shop.ops("rollback", "--env", "test")
    assert last.returncode == 1
    assert "only release" in last.stderr
    assert shop.served("test") == history[0]


def test_a_rollback_that_was_cut_off_is_finished_by_the_next_one(shop: Shop) -> None:
    for _ in range(2):
        shop.deploy("test", shop.other("test"))
    path = shop.path / ".state/test/state.json"
    state = json.loads(path.read_text())
    target, gone = state["history"][-2:]
    path.write_text(json.dumps(state | {"history": state["history"][:-1]}))  # killed right here
    assert shop.served("test") == gone
    done = shop.ops("rollback", "--env", "test")
    assert done.returncode == 0, done.stderr
    assert f"answers from {target}, no more {gone}" in done.stdout
    assert shop.served("test") == target


def test_the_same_release_serves_in_all_environments_with_one_digest(shop: Shop) -> None:
    release = shop.promote(shop.releases[1])
    facts = json.loads((shop.path / f".state/releases/{release}/release.json").read_text())
    digests = {name: said["digest"] for name, said in facts["environments"].items()}
    assert digests == dict.fromkeys(("test", "staging", "production"), facts["digest"])
    assert {shop.served(name) for name in digests} == {release}


def test_building_a_commit_twice_gives_the_same_bytes_and_the_newest_release(shop: Shop) -> None:
    names = []
    for _ in range(2):
        names.append(shop.build())
        shop.releases.pop()
    assert names[0] == names[1]
    for wheel in (shop.path / ".state/releases").glob("*/*.whl"):  # the clock was ahead, once
        if wheel.parent.name != names[0]:
            os.utime(wheel, (time.time() + 86400,) * 2)
    done = shop.make("deploy", "ENV=test")
    assert done.returncode == 0, done.stderr
    assert shop.served("test") == names[0]


def test_uncommitted_work_is_not_released_unless_it_is_said_and_then_it_is_marked(
    shop: Shop,
) -> None:
    (shop.path / "notes.txt").write_text("not yet\n")
    try:
        refused = shop.ops("build")
        for verb in ("train", "gate"):
            assert shop.ops(verb).returncode == 0
        marked = shop.ops("build", "--dirty")
    finally:
        (shop.path / "notes.txt").unlink()
    assert refused.returncode == 1 and "not committed: notes.txt" in refused.stderr
    assert marked.returncode == 0 and "-dirty-" in marked.stdout


def test_a_canary_is_left_out_aloud_when_the_old_release_is_ill(shop: Shop) -> None:
    bad, well = shop.releases[2], shop.other()
    shop.deploy("production", bad)
    with shop.fault("ends"):
        for number in range(2):
            kill(shop.server(bad, number))
        with shop.setting("verify", "latency_ms", "0.001"):
            failed = shop.ops("deploy", "--env", "production", "--release", well)
        done = shop.ops("deploy", "--env", "production", "--release", well)
    assert "undo        failed" in failed.stdout
    assert "95th percentile" in failed.stderr, "the error is what failed first"
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no canary, as the old release is ill" in done.stdout
    assert shop.served() == well
