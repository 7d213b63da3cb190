"""A gateway with a console that listens, does not, or refuses: every second told once, and nothing twice."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from coordination.bundle.refusals import Refused, refuse
from coordination.wire.telemetry import Queue, Shipment, decode, sketch_of
from gateway.clock import PolicyClock
from gateway.telemetry import reporter as reporters
from gateway.telemetry.meter import Meter
from gateway.telemetry.reporter import Facts, Reporter
from subscriber.answers import Answered
from tests.gateway.raw_client import until
from tests.gateway.running import gateway, post
from tests.gateway.upstream import replicas


class Console:
    """Takes shipments, or does not."""

    def __init__(self) -> None:
        self.shipments: list[Shipment] = []
        self.trouble: Exception | None = None
        self.tries = 0

    async def __call__(self, what: str, body: bytes, headers: object = None) -> None:
        assert what == "telemetry"
        self.tries += 1
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        self.shipments.append(decode(body))

    @property
    def batches(self):
        return [batch for shipment in self.shipments for batch in shipment.batches]


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(reporters, "PERIOD_US", 20_000)
    monkeypatch.setattr(reporters, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(reporters, "LAST_PAUSE", 0.02)


def reporting(console: Console, meter: Meter | None = None) -> Reporter:
    facts = Facts(
        bundle="", stale=False, queues=(Queue(pool="p", band=1, depth=2, oldest_us=3),), replicas=()
    )
    return Reporter(meter or Meter(), lambda: facts, PolicyClock(), console)


async def test_silence_is_told_too_and_intervals_join():
    console = Console()
    reporter = reporting(console)
    reporter.start()
    await until(lambda: len(console.batches) >= 5)
    await reporter.stop()
    batches = console.batches
    assert [batch.seq for batch in batches] == list(range(1, len(batches) + 1))
    assert len({batch.boot_id for batch in batches}) == 1
    for before, after in pairwise(batches):
        assert before.started_at + before.interval_us == before.sent_at == after.started_at
    assert batches[0].queues[0].depth == 2


async def test_an_outage_is_filled_in_afterwards_without_a_gap_or_a_repeat():
    console, meter = Console(), Meter()
    reporter = reporting(console, meter)
    console.trouble = refuse("fetch_failed", "gone")
    reporter.start()
    for _ in range(40):
        meter.cell("acme", "priority", "m", "p", None).requests += 1
        await asyncio.sleep(0.005)
    await until(lambda: len(reporter.outbox) >= 5)
    console.trouble = None
    await until(lambda: not len(reporter.outbox))
    await reporter.stop()
    batches = console.batches
    assert [batch.seq for batch in batches] == list(range(1, len(batches) + 1))
    assert sum(series.requests for batch in batches for series in batch.series) == 40
    assert len(console.shipments) < len(batches), "an outage's batches share shipments"


async def test_a_shipment_refused_for_good_does_not_stand_in_the_way():
    console = Console()
    reporter = reporting(console)
    console.trouble = Answered(400, Refused("fetch_failed", "malformed"))
    reporter.start()
    await until(lambda: console.tries >= 2)
    console.trouble = None
    await until(lambda: console.batches)
    await reporter.stop()
    assert console.batches[0].seq > 1


async def test_without_a_console_nothing_is_held():
    reporter = Reporter(Meter(), lambda: pytest.fail("nobody asked"), PolicyClock(), None)
    reporter.start()
    await asyncio.sleep(0.06)
    assert not len(reporter.outbox)
    await reporter.stop()


async def test_what_passed_through_a_gateway_is_what_it_tells(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        await post(gw)
        await post(gw, stream=True)
        await post(gw, key=None)
        await post(gw, model="nothing-such")
        taken = gw.plane.metrics.meter.take()
        served = next(series for series in taken if series.replica == one.url)
        assert (served.tenant, served.requests, served.completed, served.failed) == ("acme", 2, 2, 0)
        assert sketch_of(served.ttft).count == 1
        assert sketch_of(served.e2e).count == sketch_of(served.queue).count == 2
        assert served.output > 0
        assert served.streamed > 0
        refused = {code: (s.tenant, s.model) for s in taken for code in s.refused}
        assert refused == {"invalid_api_key": ("", ""), "model_not_found": ("acme", "")}
        for series in taken:
            ended = series.completed + series.aborted + series.failed + sum(series.refused.values())
            assert series.requests == ended
        assert gw.plane.metrics.meter.take() == ()
        facts = gw._telemetry()
        assert [replica.replica for replica in facts.replicas] == [one.url]


def test_keys_beyond_the_most_are_added_up_under_one_name():
    meter = Meter(most=3)
    for number in range(10):
        meter.cell(f"t{number}", "priority", "m", "p", None).requests += 1
    taken = meter.take()
    assert sum(series.requests for series in taken) == 10
    assert [series.requests for series in taken if series.tenant == "~other"] == [7]


def test_a_key_long_unheard_of_is_forgotten_unless_a_stream_still_counts_there():
    meter = Meter()
    meter.cell("gone", "t", "m", "p", None).requests += 1
    streaming = meter.cell("slow", "t", "m", "p", None)
    streaming.requests += 1
    streaming.holders += 1
    for _ in range(70):
        meter.take()
    assert meter.cell("slow", "t", "m", "p", None) is streaming
    assert len(meter._cells) == 1
