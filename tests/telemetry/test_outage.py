"""A real console and a real gateway: a console that is killed costs no second, and its socket holds its own.

What counts is what the gateway's clients saw: as many requests as they had answers, each in one batch.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from itertools import pairwise

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from coordination.wire.telemetry import decode_batch
from telemetry.live.connection import PROTOCOL
from tests.support.console import GUARD, Load, followed_console, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with followed_console(tmp_path_factory.mktemp("outage")) as made:
        yield made


def kept(console):
    """(boot, seq, second, batch) of every batch in the database, in order."""
    with sqlite3.connect(
        f"file:{console.environment['HEADWAY_VAR']}/headway.sqlite3?mode=ro", uri=True
    ) as database:
        rows = database.execute("SELECT boot, seq, second, body FROM telemetry_gatewaybatch ORDER BY seq")
        return [(boot, seq, second, decode_batch(zlib.decompress(body))) for boot, seq, second, body in rows]


def requests_of(batches):
    return sum(each.requests for _, _, _, batch in batches for each in batch.series if each.tenant == "acme")


def test_a_console_that_is_killed_and_comes_back_misses_no_second_and_counts_none_twice(world):
    console, gateway = world
    console.limit_requests(1_000_000)
    console.wait_in_step()
    key = console.create_key()
    until(lambda: gateway.chat(key["secret"]).status_code == 200, "the key's first answer")
    time.sleep(2.5)  # what went before is in a batch of its own
    before = requests_of(kept(console))
    with Load(gateway, key["secret"]) as load:
        load.wait_for(50)
        console.kill()
        began = time.monotonic()
        while time.monotonic() - began < 6:
            load.wait_for(5)
        console.start()
        load.wait_for(50)
    assert set(load.answers) == {200}
    answered = len(load.answers)
    until(lambda: requests_of(kept(console)) - before >= answered, "the last batch")
    time.sleep(2)
    batches = kept(console)
    assert requests_of(batches) - before == answered
    assert [seq for _, seq, _, _ in batches] == list(range(batches[0][1], batches[0][1] + len(batches)))
    seconds = [second for _, _, second, _ in batches]
    assert max(after - earlier for earlier, after in pairwise(seconds)) <= 2
    assert console.get("/api/v1/series?table=fleet.tiers")["origin"] == "recent"


@pytest.fixture
def protocols(world):
    return world[0].post("/api/v1/ws-tickets")["protocols"]


def opened(console, protocols, **more):
    address = console.url.replace("http", "ws") + "/ws/live"
    return connect(address, subprotocols=protocols, open_timeout=GUARD, max_size=None, **more)


def last_words(socket):
    while True:
        socket.recv(GUARD)


def test_a_program_with_a_ticket_sees_what_happens(world, protocols):
    console, gateway = world
    key = console.create_key()
    until(lambda: gateway.chat(key["secret"]).status_code == 200, "the key's first answer")
    with opened(console, protocols) as socket:
        assert socket.subprotocol == PROTOCOL
        socket.send(json.dumps({"op": "hello", "v": 1}))
        socket.send(json.dumps({"op": "sub", "id": 1, "ch": "fleet.tiers"}))
        gateway.chat(key["secret"])
        kinds = [json.loads(socket.recv(GUARD))["t"] for _ in range(5)]
        assert kinds[:2] == ["welcome", "snap"]
        assert set(kinds[2:]) <= {"d", "rows"}


def test_a_frame_of_a_megabyte_closes_its_own_socket_and_no_other(world):
    console = world[0]
    tickets = [console.post("/api/v1/ws-tickets")["protocols"] for _ in range(2)]
    with opened(console, tickets[0]) as good, opened(console, tickets[1]) as bad:
        good.send(json.dumps({"op": "hello", "v": 1}))
        assert json.loads(good.recv(GUARD))["t"] == "welcome"
        bad.send("x" * 1_000_000)
        with pytest.raises(ConnectionClosed) as closed:
            bad.recv(GUARD)
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
        good.send(json.dumps({"op": "ping"}))
        assert json.loads(good.recv(GUARD))["t"] == "hb"


def test_without_an_origin_and_without_a_ticket_there_is_no_socket(world):
    with pytest.raises(InvalidStatus) as refused:
        opened(world[0], [PROTOCOL])
    assert refused.value.response.status_code == 403


def test_a_console_that_stops_lets_its_listeners_go(world, protocols):
    console, _ = world
    with opened(console, protocols) as socket:
        socket.send(json.dumps({"op": "hello", "v": 1}))
        socket.recv(GUARD)
        began = time.monotonic()
        console.stop()
        with pytest.raises(ConnectionClosed):
            last_words(socket)
        assert time.monotonic() - began < GUARD
    console.start()
    assert httpx.get(f"{console.url}/healthz", trust_env=False).status_code == 200
