"""Interval and set reasoning, against brute force: what the rules prove is what counting finds."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.compiler.regions import Axis, Region, uncovered
from coordination.compiler.rules.CAP201_oversold_pool import oversold
from coordination.compiler.rules.ROUTE403_unserved import first_gap
from coordination.compiler.rules.TIME603_overlapping_reservations import overlapping
from coordination.compiler.windows import Interval
from tests.support.policies import diagnose, world_with

HIGH = 6
MASKS = st.integers(0, 7)
ENDS = st.tuples(st.integers(0, HIGH), st.integers(0, HIGH))
REGIONS = st.builds(lambda m, t, n, ends: Region(m, t, n, *ends), MASKS, MASKS, MASKS, ENDS)


def points(region: Region) -> set[tuple[int, ...]]:
    """Every request in a region, one by one."""
    bits = [[i for i in range(3) if mask >> i & 1] for mask in region[:3]]
    return set(product(*bits, range(region.low, region.high)))


@given(REGIONS, REGIONS)
@settings(max_examples=150, deadline=None)
def test_meeting_and_subtracting_are_exact(a: Region, b: Region):
    assert points(a.meet(b)) == points(a) & points(b)
    pieces = list(a.minus(b)) if not a.empty else []
    assert sum(len(points(piece)) for piece in pieces) == len(points(a) - points(b)), "pieces are disjoint"
    assert set().union(*map(points, pieces)) == points(a) - points(b)


@given(REGIONS.filter(lambda r: not r.empty), st.lists(REGIONS, max_size=6))
@settings(max_examples=150, deadline=None)
def test_a_region_is_covered_exactly_when_no_request_is_left(region: Region, others: list[Region]):
    left = points(region).difference(*map(points, others))
    assert set().union(*map(points, uncovered(region, others))) == left


@given(MASKS, st.lists(REGIONS, max_size=6))
@settings(max_examples=150, deadline=None)
def test_the_first_unserved_length_is_the_least_one(tenants: int, regions: list[Region]):
    def served(tenant: int, length: int) -> bool:
        return any(r.tiers & 1 and r.tenants >> tenant & 1 and r.low <= length < r.high for r in regions)

    wanted = [i for i in range(3) if tenants >> i & 1]
    gaps = [(length, {t for t in wanted if not served(t, length)}) for length in range(HIGH + 1)]
    expected = next(((length, who) for length, who in gaps if who), None)
    found = first_gap(1, tenants, regions)
    assert (found and (found[0], {i for i in range(3) if found[1] >> i & 1})) == expected


HOURS = st.sets(st.integers(0, 18)).map(lambda hours: windows_of(sorted(hours)))
PROMISES = st.lists(st.tuples(HOURS, st.integers(0, 5)), max_size=8)


def windows_of(hours: list[int]) -> tuple[Interval, ...]:
    """Whole numbers as the longest stretches they make."""
    found: list[Interval] = []
    for hour in hours:
        if found and found[-1].end == hour:
            found[-1] = Interval(found[-1].start, hour + 1)
        else:
            found.append(Interval(hour, hour + 1))
    return tuple(found)


def in_force(windows: tuple[Interval, ...], instant: int) -> bool:
    return any(start <= instant < end for start, end in windows)


@given(PROMISES, st.integers(0, 12))
@settings(max_examples=150, deadline=None)
def test_a_pool_is_oversold_exactly_when_some_instant_is(
    promised: list[tuple[tuple[Interval, ...], int]], most: int
):
    found = oversold(promised, most)
    totals = [sum(parts for windows, parts in promised if in_force(windows, t)) for t in range(20)]
    assert [t for t in range(20) if totals[t] > most] == [t for o in found for t in range(o.start, o.end)]
    for interval in found:
        inside = totals[interval.start : interval.end]
        assert interval.parts == max(inside) == totals[interval.worst]
    assert all(a.end < b.start for a, b in pairwise(found)), "intervals are the longest"


@given(st.dictionaries(st.sampled_from("abcde"), HOURS), st.integers(0, 18))
@settings(max_examples=150, deadline=None)
def test_reservations_overlap_exactly_when_two_are_in_force_at_once(
    windows: dict[str, tuple[Interval, ...]], at: int
):
    found = overlapping(windows, at)
    crowded = {t for t in range(at, 20) if sum(in_force(w, t) for w in windows.values()) > 1}
    assert bool(found) == bool(crowded)
    for name, (other, start) in found.items():
        assert name != other
        assert in_force(windows[name], start)
        assert in_force(windows[other], start)
    for t in crowded:
        assert sum(in_force(windows[name], t) for name in windows if name not in found) <= 1


def thirds(last: int) -> str:
    """Three reservations on a pool of 3,000,001 tokens a minute, all of which may be promised."""
    pool = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["http://chat:1"]}
  capacity: {input: 3000001 tokens/min, output: 7 tokens/min, sequences: 1, kv_tokens: 1}
  reservable: 100%
"""
    reservation = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r%s}
spec: {tenant: acme, pool: chat, tier: priority, throughput: {input: %s tokens/min, output: 0 tokens/min}}
"""
    rates = (1_000_000, 1_000_000, last)
    return "---\n".join([pool, *(reservation % (i, rate) for i, rate in enumerate(rates))])


def test_not_one_token_is_rounded_away():
    """Summed in millionths, each rounded down, one token too many would go unnoticed."""
    assert "CAP201" not in {d.code for d in diagnose(world_with(thirds(1_000_001)))}
    assert "CAP201" in {d.code for d in diagnose(world_with(thirds(1_000_002)))}


def test_names_are_bits_and_bits_are_names():
    axis = Axis(["b", "a", "c"])
    assert axis.members(axis.all, 10) == ["a", "b", "c"]
    assert axis.first(axis.mask(["c", "b", "unknown"])) == "b"
