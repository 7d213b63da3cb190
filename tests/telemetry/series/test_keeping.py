"""What gateways told is kept once, added up whole, added up anew when something came late, and let go."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from foundation.writer import Writer
from telemetry import selectors
from telemetry.ingest.intake import TelemetryIntake
from telemetry.live.messages import decode, encode
from telemetry.models import DirtyMinute, GatewayBatch, QueueMinute, SeriesMinute
from telemetry.series import rollup, store
from telemetry.series.store import Placed
from tests.telemetry.batches import GATEWAY, OTHER_GATEWAY, T0, batch, series, shipment, sketch

MICROS = 1_000_000


def keep(*batches, gateway=GATEWAY):
    store.keep([Placed("dev", gateway, each.sent_at // MICROS - 1, each) for each in batches])


def row(**of):
    return store.tally_of(SeriesMinute.objects.get(**of))


ON_BOTH = pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])


@ON_BOTH
def test_a_minute_is_added_up_over_gateways_and_replicas(db, engine):
    keep(*(batch(number, series(), series("globex", replica="http://b:1")) for number in range(60)))
    keep(*(batch(number, series(requests=2)) for number in range(60)), gateway=OTHER_GATEWAY)
    assert rollup.roll_up(T0 + 60) == 0, "not before late ones had a moment"
    assert rollup.roll_up(T0 + 65) == 1
    assert row(tenant="acme").counts["requests"] == 180
    assert row(tenant="acme").sketches["ttft"].count == 180
    assert row(tenant="globex").counts["requests"] == 60
    queue = QueueMinute.objects.get()
    assert (queue.most, queue.total, queue.seconds, queue.oldest_us) == (4, 240, 60, 7_000)
    assert not DirtyMinute.objects.exists()


@ON_BOTH
def test_what_was_promised_is_added_up_by_objective(db, engine):
    deadline, short = "deadline 30000000us", "ttft 400000us 0..8000 tokens"
    keep(*(batch(number, series(objectives={deadline: (1, 2), short: (0, 1)})) for number in range(60)))
    keep(batch(7, series(objectives={deadline: (3, 3)}, replica="http://b:1")), gateway=OTHER_GATEWAY)
    rollup.roll_up(T0 + 65)
    assert row(tenant="acme").objectives == {deadline: (63, 123), short: (0, 60)}


@ON_BOTH
def test_what_comes_twice_is_there_once_and_what_comes_late_is_added(db, engine):
    for _ in range(2):
        keep(*(batch(number, series()) for number in range(30)))
    rollup.roll_up(T0 + 65)
    for _ in range(2):
        keep(*(batch(number, series()) for number in range(20, 50)))
        rollup.roll_up(T0 + 600)
        assert row(tenant="acme").counts["requests"] == 50
    assert GatewayBatch.objects.count() == 50


def test_what_is_past_its_time_goes(db):
    keep(*(batch(number, series()) for number in range(0, 180, 60)))
    rollup.roll_up(T0 + 600)
    assert store.prune(T0 + 180, batches_for=60, minutes_for=2) > 0
    assert list(GatewayBatch.objects.values_list("second", flat=True)) == [T0 + 120]
    assert set(SeriesMinute.objects.values_list("minute", flat=True)) == {T0 // 60 + 1, T0 // 60 + 2}


def test_a_tenant_s_figures_are_its_own_and_those_below_it(db):
    told = (
        series("acme", requests=2, refused={"rate_limit_exceeded": 1}),
        series("acme/web", "flex", ttft=sketch(500)),
        series("acme-corp"),
        series("globex"),
    )
    keep(*(batch(number, *told) for number in range(60)))
    rollup.roll_up(T0 + 65)
    flex, priority = selectors.own_latency("dev", "acme", minutes=5, now=T0 + 70)
    assert (flex.tier, flex.requests, priority.requests) == ("flex", 60, 120)
    assert flex.ttft_p95_ms == pytest.approx(500, rel=0.03)
    assert priority.within("queue", 2_000_000) == 1
    assert priority.within("queue", 1_000) == 0
    used = selectors.own_use("dev", "acme", minutes=5, now=T0 + 70)
    assert (used.requests, used.output, used.refused) == (180, 3600, {"rate_limit_exceeded": 60})
    assert selectors.own_latency("dev", "nobody", minutes=5, now=T0 + 70) == []


# -- coming in -----------------------------------------------------------------------------------------


class Shown:
    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def __call__(self, message) -> None:
        self.messages.append(decode(encode(message)))  # as it would travel


def intake(shown, now=(T0 + 100) * MICROS):
    writer = Writer(period=0.0)
    writer.start()
    return TelemetryIntake(writer, shown, lambda: now), writer


def ask(taking, body):
    made, writer = taking
    try:
        return asyncio.run(made(GATEWAY, "dev", body))
    finally:
        writer.stop(5)


def test_what_is_acknowledged_is_kept_and_shown(sqlite_file):
    shown = Shown()
    body = shipment((T0 + 100) * MICROS, batch(98, series()), batch(99, series()))
    assert ask(intake(shown), body) == {"kept": 2, "out_of_time": 0}
    assert [second for second, _ in shown.messages[0].batches] == [T0 + 98, T0 + 99]
    assert list(GatewayBatch.objects.values_list("second", flat=True)) == [T0 + 98, T0 + 99]


def test_a_gateway_whose_clock_is_an_hour_slow_is_put_where_it_belongs(sqlite_file):
    shown = Shown()
    slow = 3600
    body = shipment((T0 + 100 - slow) * MICROS, batch(1, series(), at=T0 + 99 - slow))
    assert ask(intake(shown), body)["kept"] == 1
    assert GatewayBatch.objects.get().second == T0 + 99


def test_after_an_outage_each_second_is_where_it_was(sqlite_file):
    """Two minutes of batches at once, as a gateway sends them that finds its console again."""
    body = shipment(
        (T0 + 100) * MICROS, *(batch(number + 21, series(), at=T0 + number) for number in range(-20, 40))
    )
    assert ask(intake(Shown()), body)["kept"] == 60
    assert list(GatewayBatch.objects.values_list("second", flat=True)) == [T0 + n for n in range(-20, 40)]


def test_what_is_too_late_or_of_the_future_is_counted_and_let_go(sqlite_file):
    old, new = batch(1, series(), at=T0 - 3000), batch(2, series(), at=T0 + 200)
    assert ask(intake(Shown()), shipment((T0 + 100) * MICROS, old, new)) == {"kept": 0, "out_of_time": 2}
    assert not GatewayBatch.objects.exists()


def test_a_sketch_that_cannot_be_read_is_refused_before_it_spoils_a_sum(sqlite_file):
    body = shipment((T0 + 100) * MICROS, batch(99, series(ttft=b"\x01\xff")))
    with pytest.raises(msgspec.ValidationError, match=r"series\[0\].ttft"):
        ask(intake(Shown()), body)
    assert not GatewayBatch.objects.exists()


def test_what_could_not_be_written_is_not_acknowledged(sqlite_file, monkeypatch):
    def full(placed):
        raise OSError("no space left")

    monkeypatch.setattr(store, "keep", full)
    with pytest.raises(OSError, match="no space"):
        ask(intake(Shown()), shipment((T0 + 100) * MICROS, batch(99, series())))
