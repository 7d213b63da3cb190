"""A reservation of a model, divided over pools: to the last token, and never more than looking would find."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.compiler import build
from coordination.compiler.catalogue import Catalogue
from coordination.compiler.dividing import Division, Portion, divide
from coordination.plan.impact import reach
from coordination.program.index import load
from coordination.scheduling import levels, routing
from coordination.scheduling.state import State
from coordination.spec import read
from tests.support.policies import NEW_YEAR_2026, diagnose, world_with, written

POOL = """\
spec:
  model: llama-3-8b
  region: %s
  profile: llama-3-8b-h100-tp1
  replicas: {urls: [%s]}
  capacity: {input: %d tokens/min, output: %d tokens/min, sequences: 256, kv_tokens: 430k}
  reservable: %d%%"""
RESERVED = """\
spec:
  tenant: acme
  %s
  tier: priority
  throughput: {input: %d tokens/min, output: %d tokens/min}
  window: {from: %s, until: %s}"""
HOUR = "2026-01-01T%02d:00:00Z"


@given(st.integers(0, 1000), st.lists(st.integers(0, 50), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_parts_are_what_the_weights_say_to_less_than_a_token(total, weights):
    parts = divide(total, weights)
    assert sum(parts) == total
    shares = weights if any(weights) else [1] * len(weights)
    for part, weight in zip(parts, shares, strict=True):
        assert abs(part - Fraction(total * weight, sum(shares))) < 1


RATES = st.integers(0, 60)
POOLS = st.lists(
    st.tuples(
        st.sampled_from(["eu", "us"]),
        st.integers(1, 3),
        st.integers(1, 40),
        st.integers(1, 9),
        st.sampled_from([0, 30, 50, 100]),
    ),
    min_size=1,
    max_size=3,
)
HOURS = st.tuples(st.integers(0, 8), st.integers(1, 6))
WHERE = st.sampled_from(
    [
        "pool: p0",
        "model: llama-3-8b",
        "{model: llama-3-8b, regions: [eu]}",
        "{model: llama-3-8b, regions: [us]}",
    ]
)
RESERVATIONS = st.lists(st.tuples(WHERE, RATES, st.integers(0, 9), HOURS), min_size=1, max_size=4)


def policy(pools, reservations) -> str:
    documents = []
    for i, (region, count, inputs, outputs, reservable) in enumerate(pools):
        urls = ", ".join(f'"http://p{i}-{n}:8000"' for n in range(count))
        documents.append(written(f"Pool/p{i}", POOL % (region, urls, inputs, outputs, reservable)))
    for i, (where, inputs, outputs, (start, length)) in enumerate(reservations):
        fields = where.strip("{}").replace(", ", "\n  ", 1)
        window = (HOUR % start, HOUR % (start + length))
        documents.append(written(f"Reservation/r{i}", RESERVED % (fields, inputs, outputs, *window)))
    targets = ", ".join(f"{{pool: p{i}}}" for i in range(len(pools)))
    route = f"spec: {{rank: 100, targets: [{targets}]}}"
    return "---\n".join([*documents, written("Route/everything", route)])


def oracle(pools, reservations) -> set[str]:
    """Pools that promise too much in some hour, by looking at every hour with exact fractions."""
    found = set()
    for hour in range(16):
        taken = [Fraction()] * len(pools)
        for where, inputs, outputs, (start, length) in reservations:
            if not start <= hour < start + length:
                continue
            regions = {"eu"} if "eu" in where else {"us"} if "us" in where else {"eu", "us"}
            serving = [
                i for i, pool in enumerate(pools) if (i == 0 if "pool" in where else pool[0] in regions)
            ]
            if not serving:
                continue
            rates = [
                divide(rate, [pools[i][1] * pools[i][side] * pools[i][4] for i in serving])
                for rate, side in ((inputs, 2), (outputs, 3))
            ]
            for i, of_input, of_output in zip(serving, *rates, strict=True):
                _, count, most_in, most_out, _ = pools[i]
                taken[i] += Fraction(of_input, most_in * count) + Fraction(of_output, most_out * count)
        found |= {f"p{i}" for i, pool in enumerate(pools) if taken[i] > Fraction(pool[4], 100)}
    return found


@given(POOLS, RESERVATIONS)
@settings(max_examples=60, deadline=None)
def test_pools_are_oversold_exactly_when_some_hour_is(pools, reservations):
    found = diagnose(world_with(policy(pools, reservations), without=("Pool/chat",)))
    oversold = {d.message.split("`")[1] for d in found if d.code == "CAP201"}
    assert oversold == oracle(pools, reservations), [d.message for d in found]


ALIKE = [
    ("eu", 1, 1_000_000, 100_000, 50),
    ("eu", 3, 1_000_000, 100_000, 50),
    ("us", 1, 1_000_000, 100_000, 50),
]


def compiled(where: str, inputs: int = 400_000, outputs: int = 40_001):
    text = policy(ALIKE, [(where, inputs, outputs, (0, 9))])
    policy_set, found = read(world_with(text, without=("Pool/chat",)))
    assert found == []
    records, source_map, _, diagnostics = build(policy_set, environment="dev", at=NEW_YEAR_2026)
    assert records is not None, diagnostics
    return policy_set, records, source_map


def test_each_pool_gives_the_same_part_of_what_it_may_promise():
    _, records, _ = compiled("model: llama-3-8b")
    portions = [
        (p.pool, p.input_tokens_per_minute, p.output_tokens_per_minute)
        for p in records.reservations[0].portions
    ]
    assert portions == [("p0", 80_000, 8_000), ("p1", 240_000, 24_001), ("p2", 80_000, 8_000)]


def test_regions_narrow_it_and_a_pool_is_all_of_it():
    _, records, _ = compiled("{model: llama-3-8b, regions: [us]}", 100_000, 10_000)
    assert [p.pool for p in records.reservations[0].portions] == ["p2"]
    policy_set, *_ = compiled("pool: p0", 100_000, 10_000)
    catalogue = Catalogue(policy_set, None, NEW_YEAR_2026)
    spec = catalogue.reservations["r0"].spec
    assert Division(catalogue.pools).portions(spec) == [Portion("p0", 100_000, 10_000)]


def test_every_portion_comes_from_what_is_promised_altogether():
    *_, source_map = compiled("model: llama-3-8b")
    fields = source_map.find("Reservation", "r0").fields
    assert fields["/portions/1/input_tokens_per_minute"] == "/spec/throughput/input"
    assert fields["/portions/2/output_tokens_per_minute"] == "/spec/throughput/output"


def test_each_pool_has_a_lane_of_its_part_and_scale_is_led_there_as_often():
    program = load(compiled("model: llama-3-8b")[1])
    segment = program.segment_at(NEW_YEAR_2026)
    kept = {pool: segment.reserve_of(pool) for pool in program.pools}
    assert {pool: reserve.kept_ppm for pool, reserve in kept.items() if reserve} == {
        "p0": 160_000, "p1": 160_003, "p2": 160_000,
    }  # fmt: skip
    scope = program.scope("acme", "priority", "llama-3-8b")
    pools = ["p0", "p1", "p2"]
    led = [routing.lane_at(segment, scope, pools, (i << 64) // 100) for i in range(100)]
    assert [led.count(pool) for pool in pools] == [20, 61, 19], "p1 has one token more"
    assert routing.lane_at(segment, scope, pools, 2**64 - 1) == "p2"


def test_to_its_holder_it_is_one():
    program = load(compiled("model: llama-3-8b")[1])
    state = State(program, "", 0, NEW_YEAR_2026)
    assert list(program.reservations) == ["r0@p0", "r0@p1", "r0@p2"]
    state.buckets(program.reservations["r0@p1"], NEW_YEAR_2026).take((10_000 * 10**6, 0), NEW_YEAR_2026)
    (lane,) = levels(state, "acme", NEW_YEAR_2026).reservations
    assert (lane.reservation, lane.in_force, lane.output_ppm) == ("r0", True, 0)
    assert lane.input_ppm == 150_000, "10,000 of the 66,666 tokens that all pools take at once"


def test_a_change_of_a_pool_reaches_what_is_divided_over_it():
    policy_set, *_ = compiled("{model: llama-3-8b, regions: [eu]}")
    catalogue = Catalogue(policy_set, None, NEW_YEAR_2026)
    assert reach([catalogue], [("Pool", "p1")]).reservations == ("r0",)
    assert reach([catalogue], [("Pool", "p2")]).reservations == ()
