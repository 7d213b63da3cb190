"""The last quarter hour, whatever order it came in: points, gaps, late batches, repeats."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.live.recent import IDLE, SPAN, Recent
from telemetry.series.tables import FLEET
from tests.telemetry.batches import GATEWAY, OTHER_GATEWAY, T0, URL, batch, series


def cell(recent, table, key, metric, second):
    rows = recent.rows(table, second)
    return rows[key][FLEET[table].metrics.index(metric)] if rows and key in rows else None


def repaired(recent):
    while recent.repair() is not None:
        pass
    return recent


def test_a_point_tells_of_the_ten_seconds_before_its_end():
    recent = Recent(T0 - 1)
    for number in range(20):
        recent.add(GATEWAY, T0 + number, batch(number, series(requests=2)))
        recent.close(T0 + number)
    at = T0 + 19
    assert cell(recent, "fleet.tiers", "priority", "requests", at) == 2
    assert cell(recent, "fleet.tiers", "priority", "tokens", at) == 40
    assert cell(recent, "fleet.tiers", "priority", "cache_hit", at) == 0.4
    assert abs(cell(recent, "fleet.tiers", "priority", "ttft_p95", at) - 100) < 3
    assert cell(recent, "fleet.queues", "chat 300", "depth", at) == 2
    assert cell(recent, "fleet.replicas", f"chat {URL}", "kv", at) == 0.25
    assert cell(recent, "fleet.pools", "chat", "reporting", at) == 1
    assert cell(recent, "fleet.tenants", "acme", "share", at) == 1


def test_where_nobody_told_of_a_second_it_is_unknown_and_not_nought():
    recent = Recent(T0 - 1)
    recent.add(GATEWAY, T0, batch(0, series()))
    recent.close(T0 + 1)
    assert cell(recent, "fleet.tiers", "priority", "requests", T0) == 1
    assert recent.rows("fleet.tiers", T0 + 1) == {"priority": (None,) * len(FLEET["fleet.tiers"].metrics)}


def test_without_traffic_rates_are_nought_and_percentiles_unknown():
    recent = Recent(T0 - 1)
    recent.add(GATEWAY, T0, batch(0, series()))
    for number in range(1, 15):
        recent.add(GATEWAY, T0 + number, batch(number))
    recent.close(T0)
    recent.close(T0 + 14)
    for table, key in (("fleet.pools", "chat"), ("fleet.tiers", "priority")):
        assert cell(recent, table, key, "requests", T0 + 14) == 0
        assert cell(recent, table, key, "ttft_p95", T0 + 14) is None
        assert cell(recent, table, key, "cache_hit", T0 + 14) is None


def test_an_unreachable_replica_shows_no_figures_of_its_past():
    recent = Recent(T0 - 1)
    dead = batch(0).replicas[0]
    recent.add(GATEWAY, T0, batch(0, replicas=(msgspec.structs.replace(dead, reachable=False),)))
    recent.close(T0)
    assert cell(recent, "fleet.replicas", f"chat {URL}", "up", T0) == 0
    assert cell(recent, "fleet.replicas", f"chat {URL}", "kv", T0) is None


def test_two_gateways_are_added_up():
    recent = Recent(T0 - 1)
    recent.add(GATEWAY, T0, batch(0, series(requests=2)))
    recent.add(OTHER_GATEWAY, T0, batch(0, series(requests=3)))
    recent.close(T0)
    assert cell(recent, "fleet.tiers", "priority", "requests", T0) == 5
    assert cell(recent, "fleet.queues", "chat 300", "depth", T0) == 4


def test_a_batch_that_comes_twice_counts_once_whatever_second_it_is_put_into():
    recent = Recent(T0 - 1)
    assert recent.add(GATEWAY, T0, batch(0, series()))
    assert not recent.add(GATEWAY, T0, batch(0, series()))
    assert not recent.add(GATEWAY, T0 + 1, batch(0, series()))
    assert recent.add(GATEWAY, T0, batch(0, series(), boot="another")), "a restarted gateway counts anew"
    recent.close(T0)
    assert cell(recent, "fleet.tiers", "priority", "requests", T0) == 2


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(25)), st.integers(0, 25))
def test_late_batches_end_in_the_same_points(order, on_time):
    """Some seconds are told of in time; the rest come in any order after everything is over."""
    straight = Recent(T0 - 1)
    for number in range(25):
        straight.add(GATEWAY, T0 + number, batch(number, series(requests=number + 1)))
    straight.close(T0 + 24)

    late = Recent(T0 - 1)
    for number in range(25):
        if number in order[:on_time]:
            late.add(GATEWAY, T0 + number, batch(number, series(requests=number + 1)))
        late.close(T0 + number)
    for number in order[on_time:]:
        assert late.add(GATEWAY, T0 + number, batch(number, series(requests=number + 1)))
    repaired(late)
    for table in FLEET:
        for number in range(25):
            expected = straight.rows(table, T0 + number) or {}
            known = {k: row for k, row in (late.rows(table, T0 + number) or {}).items() if k in expected}
            assert known == expected


def test_what_is_older_than_a_quarter_hour_is_forgotten():
    recent = Recent(T0 - 1)
    for number in range(0, 2 * SPAN, 5):
        recent.add(GATEWAY, T0 + number, batch(number, series()))
        recent.close(T0 + number)
    assert recent.rows("fleet.tiers", T0) is None
    assert len(recent._batches) <= SPAN // 5 + 20
    assert sum(len(numbers) for numbers in recent._seen.values()) <= SPAN // 5 + 20
    assert not recent.add(GATEWAY, T0 + 1, batch(1)), "too late for anybody to see"


def test_a_row_nobody_tells_of_any_longer_leaves_the_table():
    recent = Recent(T0 - 1)
    recent.add(GATEWAY, T0, batch(0, series(tier="gone")))
    for number in range(1, IDLE + 30):
        recent.add(GATEWAY, T0 + number, batch(number, series()))
        recent.close(T0 + number)
    assert set(recent.rows("fleet.tiers", T0 + IDLE + 29) or ()) == {"priority"}
