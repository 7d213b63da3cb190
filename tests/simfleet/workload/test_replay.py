"""Does a replay keep the trace's instants, lose nothing in silence, and count every outcome once?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from coordination.traces import TraceError, TraceRequest
from simfleet.traces import prompt_text
from simfleet.workload.client import Target
from simfleet.workload.keys import TenantKey
from simfleet.workload.replay import ReplayPlan, replay
from simfleet.workload.summary import Summary, Tally, milliseconds, render

from .scripted_server import completion, plain, serving, stream_head

TENANTS = (TenantKey("acme", "key-a"), TenantKey("globex", "key-g"))


def trace(count: int, gap_ms: int = 0) -> list[TraceRequest]:
    return [TraceRequest(n + 1, n * gap_ms * 1000, 600, 3, (0, 100 + n)) for n in range(count)]


def plan(url: str, **members: Any) -> ReplayPlan:
    return ReplayPlan(Target.parse(url), TENANTS, "tiny", **members)


async def run(
    requests: Iterable[TraceRequest], url: str, stop: asyncio.Event | None = None, **members: Any
) -> Summary:
    return await replay(iter(requests), plan(url, **members), stop=stop or asyncio.Event())


async def test_every_request_is_sent_once_with_its_prompt_length_and_key():
    requests = trace(20)
    async with serving(lambda _, writer: writer.write(completion("a", "b", "c"))) as server:
        summary = await run(requests, server.url)
    bodies = {asked.json["messages"][0]["content"]: asked for asked in server.asked}
    assert bodies.keys() == {prompt_text(request).decode() for request in requests}
    for asked in server.asked:
        body = asked.json
        assert (body["model"], body["stream"], body["stream_options"]) == (
            "tiny",
            True,
            {"include_usage": True},
        )
        assert body["max_tokens"] == body["min_tokens"] == 3
        assert body["ignore_eos"] is True
        assert "service_tier" not in body
    keys = {asked.headers["authorization"] for asked in server.asked}
    assert keys == {"Bearer key-a", "Bearer key-g"}
    assert summary.total.requests == summary.total.completed == 20
    assert sum(tally.completed for tally in summary.by_tenant.values()) == 20
    assert (summary.total.prompt_tokens, summary.total.cached_tokens) == (2000, 800)
    assert summary.total.cached_share == 0.4
    assert len(summary.total.ttft_s) == 20


async def test_arrivals_are_open_loop_a_slow_server_does_not_slow_them():
    async def script(_asked, writer):
        await asyncio.sleep(0.2)
        writer.write(completion("a"))

    async with serving(script) as server:
        summary = await run(trace(30, gap_ms=1), server.url)
    assert server.most_open >= 15
    assert summary.total.completed == 30


async def test_the_speed_divides_the_instants_of_the_trace():
    async with serving(lambda _, writer: writer.write(completion("a"))) as server:
        summary = await run(trace(5, gap_ms=100_000), server.url, speed=2000)
    assert summary.total.completed == 5
    assert summary.elapsed_s >= 0.2  # 400 s of trace


async def test_open_requests_are_bounded_and_waiting_for_a_slot_counts_as_time_to_first_token():
    async def script(_asked, writer):
        await asyncio.sleep(0.05)
        writer.write(completion("a"))

    async with serving(script) as server:
        summary = await run(trace(9), server.url, concurrency=3)
    assert server.most_open == 3
    assert max(summary.total.ttft_s) >= 0.14
    assert max(summary.send_lag_s) >= 0.09


async def test_each_outcome_is_counted_once_and_under_its_tier():
    def script(asked, writer):
        number = len(server.asked)
        if number == 1:
            writer.write(completion("a", x_headway_tier_served="flex"))
        elif number == 2:
            writer.write(plain(429, {"error": {"code": "rate_limit_exceeded"}}))
        elif number == 3:
            writer.write(plain(500, {"detail": "?"}))
        elif number == 4:
            writer.write(stream_head() + b"0\r\n\r\n")
        elif number == 5:
            error = b'data: {"error":{"code":"upstream_failed"}}\n\n'
            writer.write(stream_head() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(error), error))
        else:
            writer.close()

    async with serving(script) as server:
        summary = await run(trace(6, gap_ms=20), server.url)
    total = summary.total
    assert (total.requests, total.completed, total.lost, total.abandoned) == (6, 1, 3, 0)
    assert total.refused == {"rate_limit_exceeded": 1}
    assert total.interrupted == {"upstream_failed": 1}
    assert summary.lost_because.total() == 3
    assert {tier: tally.requests for tier, tally in summary.by_tier.items()} == {
        "flex": 1,
        "unknown": 2,
        "none": 3,
    }
    for groups in (summary.by_tenant, summary.by_tier):
        assert sum(tally.requests for tally in groups.values()) == 6
    assert "rate_limit_exceeded" in render(summary)
    assert json.loads(json.dumps(summary.as_json()))["lost"] == 3


async def test_a_request_that_outlives_its_timeout_is_lost_and_the_replay_ends():
    async def script(_asked, _writer):
        await asyncio.sleep(3600)

    async with serving(script) as server, asyncio.timeout(60):
        summary = await run(trace(3), server.url, timeout_s=0.1, concurrency=2)
    assert (summary.total.requests, summary.total.lost) == (3, 3)
    assert summary.lost_because == {"no whole answer within 0.1 s": 3}


async def test_stopping_gives_the_summary_so_far_with_open_requests_as_abandoned():
    stop = asyncio.Event()

    async def script(_asked, writer):
        if len(server.asked) <= 2:
            writer.write(completion("a"))
            return
        if len(server.asked) == 4:
            stop.set()
        await asyncio.sleep(3600)

    async with serving(script) as server, asyncio.timeout(60):
        summary = await run(
            [*trace(4, gap_ms=30), TraceRequest(9, 10**12, 1, 1, (1,))], server.url, stop=stop
        )
    assert summary.stopped
    assert (summary.total.completed, summary.total.abandoned, summary.total.lost) == (2, 2, 0)


async def test_a_bad_record_ends_the_sending_but_not_the_answers():
    def requests() -> Iterator[TraceRequest]:
        yield from trace(2)
        raise TraceError("t.jsonl", 3, "damaged")

    async with serving(lambda _, writer: writer.write(completion("a"))) as server:
        summary = await run(requests(), server.url)
    assert summary.trace_error == "t.jsonl:3: damaged"
    assert summary.total.completed == 2


async def test_the_limit_sends_that_many_and_reads_no_further():
    def requests() -> Iterator[TraceRequest]:
        yield from trace(3)
        raise AssertionError("read beyond the limit")

    async with serving(lambda _, writer: writer.write(completion("a"))) as server:
        summary = await run(requests(), server.url, limit=3)
    assert summary.total.requests == 3


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], None),
        ([0.002], {"mean": 2, "p50": 2, "p90": 2, "p95": 2, "p99": 2, "max": 2}),
        (
            [n / 1000 for n in range(100, 0, -1)],
            {"mean": 50.5, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100},
        ),
    ],
)
def test_percentiles_are_nearest_rank_in_milliseconds(samples, expected):
    tally = Tally()
    tally.ttft_s.extend(samples)
    assert milliseconds(tally.ttft_s) == expected
