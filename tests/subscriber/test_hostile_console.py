"""A console that lies, replays, dawdles and breaks off: what is served stays what was wholly accepted.

Each test first has the gateway serve release 2, then lets the console misbehave, and then has it say
something true, which must still be heard.
"""

from __future__ import annotations

import gzip
import time
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from coordination.bundle.pointer import sign_pointer
from subscriber import loop as loops
from subscriber import transport
from tests.coordination.bundle import samples
from tests.subscriber.fake_console import POINTER, FakeConsole, subscribed, wall


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Pauses between tries are shorter than a gateway's."""
    monkeypatch.setattr(loops, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(loops, "LAST_PAUSE", 0.1)
    monkeypatch.setattr(loops, "PACE", 0.05)
    monkeypatch.setattr(loops, "TICK", 0.05)


@asynccontextmanager
async def serving(folder, **of):
    """A gateway that serves release 2; and its pointer."""
    async with subscribed(folder) as gateway:
        pointer = gateway.console.release(2, **of)
        await gateway.until_serving(pointer)
        yield gateway, pointer


async def still_listens(gateway, serial=9):
    """What is true is followed, whatever came before."""
    await gateway.until_serving(gateway.console.release(serial, output=61_000))
    told = await gateway.until_told(state="active", serial=serial)
    assert told.error is None


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


async def test_what_is_in_order_is_followed_and_told(tmp_path):
    async with serving(tmp_path / "state") as (gateway, pointer):
        told = await gateway.until_told(state="active")
        assert told.desired == told.attempted == told.applied == pointer.bundle
        assert (told.serial, told.version, told.applied_directory) == (2, 2, pointer.directory)
        assert {"fetch_bundle", "verify", "self_test", "persist"} <= told.timings.keys()


# -- the pointer ------------------------------------------------------------------------------------


async def test_a_pointer_with_any_byte_flipped_changes_nothing(tmp_path):
    async with serving(tmp_path / "state") as (gateway, pointer):
        made, keys = samples.bundle(output=70_000), samples.directory(serial=3)
        gateway.console.hold(made, keys)
        good = sign_pointer(samples.pointer(made, keys, serial=3, issued_at=wall()), [samples.KEY])
        for at in range(0, len(good), 97):
            before = gateway.delivery.state.error
            gateway.console.post(flipped(good, at))
            # Forgotten again when its retry finds that what serves is what is wanted: looked for at once.
            await gateway.until(
                lambda: (now := gateway.delivery.state.error) and now is not before  # noqa: B023
            )
            assert gateway.error in {"bad_signature", "unknown_key", "malformed_envelope"}, at
        assert gateway.serving == pointer.bundle
        told = await gateway.until_told(applied=pointer.bundle, state="rejected")
        assert told.desired == pointer.bundle, "what is not signed is not even wanted"
        gateway.console.post(good)
        await gateway.until(lambda: gateway.serving == made.digest)


@pytest.mark.parametrize(
    ("of", "code"),
    [
        ({"serial": 1}, "replayed_serial"),
        ({"serial": 2, "issued_at": 1_000_000}, "replayed_serial"),
        ({"serial": 3, "ring": "other"}, "wrong_ring"),
        ({"serial": 3, "environment": "production"}, "wrong_environment"),
    ],
)
async def test_a_signed_pointer_that_is_old_or_for_somebody_else_is_refused(tmp_path, of, code):
    async with serving(tmp_path / "state") as (gateway, pointer):
        gateway.console.release(of["serial"], output=70_000, **{k: v for k, v in of.items() if k != "serial"})
        await gateway.until_refused(code)
        # Before its first release it had told that it has nothing: that was another refusal.
        told = await gateway.until_told(state="rejected", applied=pointer.bundle)
        assert told.error is not None
        assert told.error.code == code
        assert gateway.serving == pointer.bundle
        await still_listens(gateway)


async def test_a_pointer_of_another_signer_is_refused(tmp_path):
    async with serving(tmp_path / "state") as (gateway, pointer):
        made, keys = samples.bundle(output=70_000), samples.directory(serial=3)
        gateway.console.hold(made, keys)
        forged = sign_pointer(samples.pointer(made, keys, serial=3, issued_at=wall()), [samples.OTHER_KEY])
        gateway.console.post(forged)
        await gateway.until_refused("unknown_key")
        assert gateway.serving == pointer.bundle
        await still_listens(gateway)


async def test_an_emergency_measure_this_gateway_cannot_enforce_is_refused(tmp_path):
    async with serving(tmp_path / "state") as (gateway, pointer):
        measure = samples.override(issued_at=wall())
        made, keys = samples.bundle(), samples.directory(serial=2)
        wanted = replace(samples.pointer(made, keys, serial=3, issued_at=wall()), overrides=(measure,))
        gateway.console.post(sign_pointer(wanted, [samples.KEY]))
        await gateway.until_refused("unknown_feature")
        assert gateway.serving == pointer.bundle
        await still_listens(gateway)


async def test_a_measure_does_not_wait_for_a_bundle_that_cannot_be_fetched(tmp_path):
    async with serving(tmp_path / "state") as (gateway, _):
        made, keys = samples.bundle(output=70_000), samples.directory(serial=2)
        wanted = samples.pointer(made, keys, serial=3, issued_at=wall())
        gateway.console.post(sign_pointer(wanted, [samples.KEY]))
        await gateway.until_refused("fetch_failed")
        assert gateway.runtime.last_heard == wanted


async def test_an_expired_pointer_is_followed_and_called_stale_until_a_fresh_one_comes(tmp_path):
    async with subscribed(tmp_path / "state") as gateway:
        old = gateway.console.release(2, issued_at=wall() - 3_600_000_000)
        await gateway.until_serving(old)
        await gateway.until_told(state="stale", applied=old.bundle)
        fresh = gateway.console.release(2)
        await gateway.until_serving(fresh)
        await gateway.until_told(state="active", applied=old.bundle)
        assert len(gateway.runtime.served) == 1, "a renewal swaps nothing"


async def test_a_pointer_replayed_over_a_restart_is_refused(tmp_path):
    folder, console = tmp_path / "state", FakeConsole()
    async with subscribed(folder, console) as gateway:
        first = console.pointer_of(2) if hasattr(console, "pointer_of") else console.release(2)
        await gateway.until_serving(first)
        envelope = console.pointer
        second = console.release(3, output=70_000)
        await gateway.until_serving(second)
    console.post(envelope)
    async with subscribed(folder, console) as gateway:
        assert gateway.serving == second.bundle, "from the disk, before a word from the console"
        await gateway.until_refused("replayed_serial")
        assert gateway.serving == second.bundle
        await still_listens(gateway)
    console.stop()


# -- what the pointer names -------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["bundle", "envelope", "directory"])
@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "another"])
async def test_what_the_pointer_names_arrives_damaged_and_is_refused_until_it_is_whole(tmp_path, what, how):
    async with serving(tmp_path / "state") as (gateway, pointer):
        made, keys = samples.bundle(output=70_000), samples.directory(serial=3)
        gateway.console.hold(made, keys)
        path = {
            "bundle": f"/api/v1/bundles/{made.digest}",
            "envelope": f"/api/v1/bundles/{made.digest}/envelope",
            "directory": f"/api/v1/directories/{keys.digest}",
        }[what]
        whole = gateway.console.files[path]
        other = {
            "bundle": samples.bundle().tar,
            "envelope": gateway.console.files[f"/api/v1/bundles/{pointer.bundle}/envelope"],
            "directory": samples.directory(serial=1).to_json(),
        }[what]
        gateway.console.files[path] = {
            "flipped": flipped(whole, len(whole) // 2),
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "another": other,
        }[how]
        wanted = samples.pointer(made, keys, serial=3, issued_at=wall())
        gateway.console.post(sign_pointer(wanted, [samples.KEY]))
        told = await gateway.until_told(state="rejected", attempted=made.digest)
        assert told.applied == pointer.bundle == gateway.serving
        assert told.error is not None
        gateway.console.files[path] = whole
        await gateway.until_serving(wanted)


async def test_a_directory_older_than_the_one_that_serves_is_refused_though_signed_for(tmp_path):
    """Otherwise whoever holds the pointer's key could revive a revoked API key by rolling back."""
    async with serving(tmp_path / "state") as (gateway, pointer):
        made, keys = samples.bundle(output=70_000), samples.directory(serial=1)
        gateway.console.hold(made, keys)
        wanted = samples.pointer(made, keys, serial=3, issued_at=wall())
        gateway.console.post(sign_pointer(wanted, [samples.KEY]))
        await gateway.until_refused("replayed_serial")
        assert gateway.serving == pointer.bundle
        await still_listens(gateway)


@pytest.mark.parametrize("raises", [False, True])
async def test_a_program_that_fails_its_test_or_cannot_be_loaded_is_refused(tmp_path, raises):
    async with serving(tmp_path / "state") as (gateway, pointer):
        failing = ["tenant-0: expected admit, got refuse"]

        def prepare(records, vectors):
            if raises:
                raise ZeroDivisionError
            return failing

        sound, gateway.runtime.prepare = gateway.runtime.prepare, prepare
        gateway.console.release(3, output=70_000)
        await gateway.until_refused("self_test_failed")
        assert gateway.serving == pointer.bundle
        gateway.runtime.prepare = sound
        await still_listens(gateway)


# -- HTTP -------------------------------------------------------------------------------------------


def endless(handler):
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    while True:
        handler.wfile.write(chunk)


def bomb(handler):
    FakeConsole.send(handler, 200, gzip.compress(bytes(64 << 20)), content_encoding="gzip")


def broken_off(handler):
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


def not_http(handler):
    handler.wfile.write(b"\x16\x03\x01 what?\r\n\r\n")
    handler.close_connection = True


def answering(status, body=b"", **headers):
    return lambda handler: FakeConsole.send(handler, status, body, **headers)


PROBLEM = {"content_type": "application/problem+json"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answering(500), id="500"),
        pytest.param(answering(200, b""), id="nothing"),
        pytest.param(answering(200, b"<html>Sign in</html>", content_type="text/html"), id="a page"),
        pytest.param(answering(302, location="http://127.0.0.1:1/"), id="elsewhere"),
        pytest.param(answering(401, b'{"code": "gateway_unauthenticated"}', **PROBLEM), id="unknown to it"),
        pytest.param(answering(503, b"not JSON", **PROBLEM), id="a problem that is not JSON"),
        pytest.param(answering(503, b"[1]", **PROBLEM), id="a problem that is no object"),
        pytest.param(answering(503, b'{"code": 7, "detail": null}', **PROBLEM), id="an odd problem"),
        pytest.param(answering(503, b"\xff\xfe", **PROBLEM), id="a problem that is no text"),
        pytest.param(answering(200, b"\x1f\x8bjunk", content_encoding="gzip"), id="not gzip"),
        pytest.param(endless, id="without end"),
        pytest.param(bomb, id="64 MiB in 64 KiB"),
        pytest.param(broken_off, id="broken off"),
        pytest.param(not_http, id="not HTTP"),
    ],
)
async def test_whatever_the_console_answers_the_next_true_word_is_heard(tmp_path, answer):
    async with serving(tmp_path / "state") as (gateway, pointer):
        gateway.console.answers[POINTER] = answer
        gateway.console.release(3, output=70_000)  # ends the poll that waits
        asked = gateway.console.asked[POINTER]
        await gateway.until(lambda: gateway.console.asked[POINTER] > asked + 2)
        del gateway.console.answers[POINTER]
        assert gateway.serving in {pointer.bundle, samples.bundle(output=70_000).digest}
        await still_listens(gateway)


async def test_a_bundle_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "MAX_BUNDLE", 1 << 20)
    async with serving(tmp_path / "state") as (gateway, pointer):
        made = samples.bundle(output=70_000)
        gateway.console.answers[f"/api/v1/bundles/{made.digest}"] = endless
        gateway.console.release(3, output=70_000)
        told = await gateway.until_told(state="rejected", attempted=made.digest)
        assert told.applied == pointer.bundle
        await still_listens(gateway)


async def test_a_console_that_does_not_wait_is_not_asked_without_pause(tmp_path, monkeypatch):
    monkeypatch.setattr(loops, "PACE", 0.2)
    async with serving(tmp_path / "state") as (gateway, _):
        gateway.console.waits = False
        gateway.console.release(3)
        asked, began = gateway.console.asked[POINTER], time.monotonic()
        await gateway.until(lambda: gateway.console.asked[POINTER] >= asked + 5)
        assert time.monotonic() - began >= 3 * 0.2, "five looks have at least three whole pauses between them"


# -- clocks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-10 * 365 * 86_400_000_000, 10 * 365 * 86_400_000_000])
async def test_the_wall_clock_may_jump_while_a_gateway_serves(tmp_path, monkeypatch, jump):
    """Age runs on the monotonic clock: a jump makes nothing stale by itself, and stops nothing."""
    async with serving(tmp_path / "state") as (gateway, _pointer):
        monkeypatch.setattr(loops, "_wall", lambda: wall() + jump)
        await gateway.until_told(state="active")
        state = gateway.delivery.state
        await gateway.until(lambda: gateway.delivery.state.clock > state.clock)
        assert not gateway.delivery.state.is_stale
        wanted = gateway.console.release(3, output=70_000)
        await gateway.until_serving(wanted)
        # Ahead by years, the pointer had expired before it came; behind, its age is unknown but small.
        assert gateway.delivery.state.is_stale == (jump > 0)


async def test_a_gateway_started_with_its_clock_far_behind_serves_what_it_held(tmp_path, monkeypatch):
    folder, console = tmp_path / "state", FakeConsole()
    async with subscribed(folder, console) as gateway:
        pointer = console.release(2)
        await gateway.until_serving(pointer)
    monkeypatch.setattr(loops, "_wall", lambda: 1_000_000)
    async with subscribed(folder, console) as gateway:
        assert gateway.serving == pointer.bundle
        assert not gateway.delivery.state.is_stale
        await still_listens(gateway)
    console.stop()
