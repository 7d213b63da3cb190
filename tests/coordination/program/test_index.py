"""Loading a compiled policy: names become objects, scopes and segments."""

from __future__ import annotations

import msgspec
import pytest

from coordination.program.records import MILLION
from tests.support.programs import MINUTE, START, a_policy, limit, one_pool


def test_a_scope_holds_the_quotas_on_the_tenants_path_outermost_first():
    policy = a_policy().model().pool().tier().tier("flex", band=100).tenant("a").tenant("a/x").route()
    policy.quota("child", "a/x", limit("requests", "1m", 1))
    policy.quota("parent", "a").quota("flex-only", "a", tiers=("flex",)).quota("other", "a", models=("m",))
    scope = policy.load().scope("a/x", "standard", "m")
    assert [quota.name for quota in scope.quotas] == ["other", "parent", "child"]


@pytest.mark.parametrize(
    ("tier", "phi"),
    [("standard", 2), ("flex", 3)],
    ids=["the wide quota's", "the one that names the tier"],
)
def test_a_nodes_weight_is_its_most_specific_quotas(tier, phi):
    policy = a_policy().model().pool().tier().tier("flex", band=100).tenant("a").route()
    policy.quota("wide", "a", weight=2).quota("narrow", "a", weight=3, tiers=("flex",))
    assert policy.load().scope("a", tier, "m").weights == (phi * MILLION,)


def test_a_model_scope_is_more_specific_than_a_tier_scope():
    policy = one_pool("a").quota("model", "a", weight=5, models=("m",))
    policy.quota("tier", "a", weight=7, tiers=("standard",)).quota("zwide", "a", weight=9)
    assert policy.load().scope("a", "standard", "m").weights == (5 * MILLION,)


def test_a_share_of_the_directory_stands_over_the_quotas_weight_and_is_clamped():
    policy = one_pool("a", "a/x", "a/y").quota("w", "a/x", weight=4).quota("n", "a/x", tiers=("standard",))
    policy.quota("a", "a", delegates=("weight",))
    program = policy.load()
    assert program.scope("a/x", "standard", "m").weights[-1] == MILLION
    assert program.follow({"a/x": 3 * MILLION, "a/y": 0, "gone": 5})
    assert program.scope("a/x", "standard", "m").weights[-1] == 3 * MILLION
    assert program.scope("a/y", "standard", "m").weights[-1] == 1, "never nothing: it divides"
    assert not program.follow({"a/x": 3 * MILLION, "a/y": 1})
    assert program.follow({"a/x": 2**53 - 1})
    assert program.scope("a/x", "standard", "m").weights[-1] == MILLION * MILLION
    assert program.follow({})
    assert program.scope("a/x", "standard", "m").weights[-1] == MILLION


def test_an_inner_tenants_own_traffic_has_a_leaf_of_weight_one():
    policy = one_pool("a", "a/x").quota("w", "a", weight=4)
    program = policy.load()
    own, child = program.scope("a", "standard", "m"), program.scope("a/x", "standard", "m")
    assert own.leaf_path == ("a", "a/")
    assert own.weights == (4 * MILLION, MILLION)
    assert child.leaf_path == ("a", "a/x")
    assert child.weights == (4 * MILLION, MILLION)


def test_a_parent_that_does_not_exist_is_left_out_of_the_path():
    program = one_pool("a/b/c", "a").load()
    assert program.tenants["a/b/c"].path == ("a", "a/b/c")
    assert program.tenants["a"].inner


def test_scopes_are_resolved_once():
    program = one_pool().load()
    assert program.scope("acme", "standard", "m") is program.scope("acme", "standard", "m")
    with pytest.raises(KeyError):
        program.scope("nobody", "standard", "m")


def test_routes_come_by_rank_and_only_if_they_match():
    policy = a_policy().model().model("n").pool().tier().tier("flex").tenant("a").tenant("a/x")
    policy.route("late", rank=20).route("early", rank=5, tiers=("standard",)).route(
        "n", rank=1, models=("n",)
    )
    policy.route("child", rank=2, tenants=("a/x",))
    program = policy.load()

    def names(*key: str) -> list[str]:
        return [route.name for route in program.scope(*key).routes]

    assert names("a", "standard", "m") == ["early", "late"]
    assert names("a", "flex", "m") == ["late"]
    assert names("a/x", "flex", "n") == ["n", "child", "late"]


def test_arms_cover_the_whole_interval_in_the_order_written():
    policy = a_policy().model().pool("p").pool("q").pool("z").tier().tenant()
    bounds = policy.route("all", ("p", 90), ("z", 0), ("q", 10)).load().routes["all"].bounds
    assert bounds == ((90 << 64) // 100, (90 << 64) // 100, 1 << 64)


def test_the_timeline_changes_exactly_at_its_boundaries():
    policy = one_pool()
    policy.reservation("r", "acme", since=START + MINUTE, until=START + 2 * MINUTE, input_per_minute=240_000)
    policy.reservation("s", "acme", since=START + 90 * MILLION)
    program = policy.load()
    scope = program.scope("acme", "standard", "m")

    def in_force(at: int) -> list[str]:
        return [one.name for one in program.segment_at(START + at).lanes_for("p", scope)]

    assert in_force(0) == []
    assert in_force(MINUTE - 1) == []
    assert in_force(MINUTE) == ["r"]
    assert in_force(90 * MILLION) == ["r", "s"]
    assert in_force(2 * MINUTE - 1) == ["r", "s"]
    assert in_force(2 * MINUTE) == ["s"]
    segment = program.segment_at(START + MINUTE)
    assert (segment.start, segment.end) == (START + MINUTE, START + 90 * MILLION)
    assert program.segment_at(START + 3 * MINUTE).end is None


def test_a_child_may_use_its_parents_reservation_after_its_own():
    program = one_pool("a", "a/x").reservation("parents", "a").reservation("own", "a/x").load()
    scope = program.scope("a/x", "standard", "m")
    assert [one.name for one in program.segment_at(START).lanes_for("p", scope)] == ["own", "parents"]


def test_a_reservations_share_counts_prefill_and_decode_together():
    program = (
        one_pool(replicas=4)
        .reservation("r", "acme", input_per_minute=600_000, output_per_minute=60_000)
        .load()
    )
    assert program.reservations["r"].share_ppm == MILLION // 2, "a quarter of each is half of the pool"
    reserve = program.segment_at(START).reserve_of("p")
    assert reserve is not None
    assert reserve.kept_ppm == MILLION // 2


def test_the_newest_price_not_after_the_instant_is_in_force():
    policy = one_pool().prices(("m", START, 100, 10, 400), ("m", START + MINUTE, 200, 20, 800))
    program = policy.prices(("m", START - MINUTE, 1, 1, 1), name="other").load()
    assert program.segment_at(START).prices["m"].uncached == 100
    assert program.segment_at(START + MINUTE).prices["m"].uncached == 200
    assert program.segment_at(START - MINUTE).prices["m"].book == "other"
    assert program.segment_at(START - 2 * MINUTE).prices == {}


def test_a_tiers_multiplier_applies_to_spend():
    policy = one_pool().prices(("m", START, 100, 10, 400), multipliers={"standard": 500_000})
    price = policy.load().segment_at(START).prices["m"]
    assert price.under("standard").spend(10, 10, 1, 0, 0) == 750
    assert price.under("else").spend(10, 10, 1, 0, 0) == 1500


def test_tokens_written_to_a_cache_and_reasoning_have_prices_of_their_own_or_those_of_what_they_are():
    policy = one_pool().prices(("m", START, 100, 10, 400))
    plain = policy.load().segment_at(START).prices["m"]
    used = (10, 20, 3, 5, 7)
    assert plain.under("standard").spend(*used) == (10 + 5) * 100 + 20 * 10 + (3 + 7) * 400
    (book,) = policy.price_books
    entry = msgspec.structs.replace(book.entries[0], cache_write_nano=125, reasoning_nano=0)
    policy.price_books = [msgspec.structs.replace(book, entries=(entry,))]
    own = policy.load().segment_at(START).prices["m"]
    assert own.under("standard").spend(*used) == 10 * 100 + 5 * 125 + 20 * 10 + 3 * 400


def test_several_tiers_may_answer_to_one_name():
    policy = (
        a_policy()
        .model()
        .pool()
        .tier("gold", service_tier=("fast",))
        .tier("silver", service_tier=("fast", "gold"))
    )
    tiers = policy.tenant().route().load().tiers_by_service_tier
    assert [tier.name for tier in tiers["fast"]] == ["gold", "silver"]
    assert [tier.name for tier in tiers["gold"]] == ["silver", "gold"], "a document's own name comes last"


def test_a_model_is_found_by_every_name_a_client_may_use():
    program = (
        a_policy().model("m", served_name="org/m", aliases=("mm",)).pool().tier().tenant().route().load()
    )
    assert {program.models_by_client_name[name].name for name in ("org/m", "mm")} == {"m"}
    assert "m" not in program.models_by_client_name
