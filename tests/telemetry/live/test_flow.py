"""Frames in order, resumed without a snapshot, fewer for the slow and none for the stuck."""

from __future__ import annotations

from telemetry.live.connection import SLOW
from tests.telemetry.batches import series
from tests.telemetry.live.guests import socket
from tests.telemetry.live.mirror import Mirror
from tests.telemetry.live.test_doors import hello


async def listening(hub, opened, channel="fleet.tiers", **more):
    """Its mirror, which holds what the hub does now."""
    await hello(opened)
    await opened.subscribed(channel, **more)
    return opened


def mirrored(opened, number=1):
    mirror = Mirror()
    for text, frame in zip(opened.raw, opened.frames, strict=True):
        if frame.get("id") == number and frame["t"] in ("snap", "d", "rows"):
            mirror.apply(text)
    return mirror


def fresh(hub, table="fleet.tiers"):
    rows = hub._recents["dev"].rows(table, hub._closed)
    return {key: list(row) for key, row in rows.items()}


async def second(hub, opened, *told):
    """One goes by, and the listener has it."""
    hub.second(*told)
    ts = (hub._closed + 1) * 1000
    await opened.until(lambda: any(frame.get("ts") == ts for frame in opened.frames), f"frame of {ts}")
    last = [frame for frame in opened.frames if "q" in frame][-1]
    opened.say(op="ack", s={"1": last["q"]})


async def test_a_listener_s_state_is_the_hub_s_after_every_second(hub, world):
    hub.second(series())
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await listening(hub, opened)
        for number in range(30):
            tier = "late-tier" if number > 10 else "priority"
            await second(hub, opened, series(tier=tier, requests=number % 4))
            assert mirrored(opened).rows == fresh(hub)
        assert len(opened.of("snap")) == 1


async def test_whoever_returns_within_two_minutes_gets_every_second_and_no_snapshot(hub, world):
    hub.second(series())
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await listening(hub, opened)
        for _ in range(5):
            await second(hub, opened, series())
        before = mirrored(opened)
        held = list(opened.raw)
    for number in range(115):
        hub.second(series(requests=1 + number % 3), series(tier=f"t{number // 50}"))
    async with socket(hub, headers=world["cookies"]["olga"]) as again:
        again.say(op="hello", v=1, resume={"fleet.tiers": [before.epoch, before.seq]})
        again.say(op="sub", id=1, ch="fleet.tiers")
        await again.until(lambda: any(f.get("ts") == (hub._closed + 1) * 1000 for f in again.frames))
        assert again.of("snap", "gap") == []
        for text, frame in zip(again.raw, again.frames, strict=True):
            if frame.get("id") == 1:
                before.apply(text)
        assert before.rows == fresh(hub)
        # Each second has its point, and it is the one REST tells.
        points = {frame["ts"] for frame in again.of("d")}
        told = hub.points("dev", "fleet.tiers", hub._closed - 114, hub._closed + 1)
        assert points == {(at + 1) * 1000 for at, _ in told}
    assert held


async def test_after_a_restart_of_the_hub_there_is_a_snapshot(hub, world):
    hub.second(series())
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        opened.say(op="hello", v=1, resume={"fleet.tiers": ["another.hub", 4711]})
        snap = await opened.subscribed("fleet.tiers")
        assert snap["t"] == "snap"
        assert snap["e"] != "another.hub"


async def test_a_slow_socket_gets_one_frame_for_what_it_missed(hub, world):
    hub.second(series())
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await listening(hub, opened)
        await second(hub, opened, series())
        opened.takes.clear()  # its buffers are full
        for number in range(8):
            hub.second(series(requests=number))
        opened.takes.set()
        ts = (hub._closed + 1) * 1000
        seen = len(opened.frames)
        await opened.until(lambda: any(f.get("ts") == ts for f in opened.frames))
        assert len([f for f in opened.frames[seen:] if f["t"] == "d"]) <= 2, "nothing had piled up"
        assert mirrored(opened).rows == fresh(hub)


async def test_whoever_does_not_acknowledge_is_sent_less_and_then_sent_away(hub, world):
    hub.second(series())
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await listening(hub, opened)
        for _ in range(10):
            hub.second(series())
        assert len(opened.of("d")) <= 4
        for _ in range(30):
            hub.second(series())
        assert await opened.closed() == SLOW


async def test_a_socket_that_is_stuck_is_given_up(hub, world):
    hub.second(series())
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await listening(hub, opened)
        opened.takes.clear()
        for _ in range(40):
            hub.second(series())
        assert await opened.closed() == SLOW
        assert hub.sockets == 0


async def test_a_hidden_tab_asks_for_less_and_gets_less(hub, world):
    hub.second(series())
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await listening(hub, opened, hz=0.2)
        frames = []
        for _ in range(20):
            hub.second(series())
            await hello(opened)  # so that what is to come has come
            frames = opened.of("d")
            opened.say(op="ack", s={"1": frames[-1]["q"] if frames else 0})
            opened.frames = [frame for frame in opened.frames if frame["t"] != "welcome"]
        assert 3 <= len(frames) <= 5
        assert all(frame["p"] < frame["q"] for frame in frames)


async def test_silence_is_broken_by_a_heartbeat(hub, world):
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await hello(opened)
        hub.pass_by(6)
        await opened.until(lambda: opened.of("hb"))


async def test_a_batch_that_came_late_is_told_of_on_the_health_channel(hub, world):
    hub.second(series())
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await hello(opened)
        opened.say(op="sub", id=1, ch="health")
        await hub.start()
        await hello(opened)
        hub.pass_by(5)
        hub.time -= 3
        hub.second(series(requests=9))  # of a second that was closed before
        await opened.until(lambda: opened.of("evt"))
        event = opened.of("evt")[0]
        assert event["k"] == "series.filled"
        assert event["facts"]["from"] < event["facts"]["to"]
