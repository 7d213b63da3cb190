"""How full limits and reservations are, as their holder is told."""

from __future__ import annotations

from coordination.scheduling import activate, levels
from tests.support.programs import MINUTE, SECOND, limit, one_pool
from tests.support.virtual_fleet import VirtualFleet


def a_fleet() -> VirtualFleet:
    policy = one_pool("acme", "acme/search", "globex")
    policy.quota("all", "acme", limit("requests", "1m", 60), limit("requests", "day", 1000), concurrency=99)
    policy.quota("team", "acme/search", limit("total_tokens", "1m", 100_000))
    policy.quota("theirs", "globex", limit("requests", "1m", 60), limit("requests", "day", 1000))
    policy.reservation("r", "acme", input_per_minute=60_000, output_per_minute=6_000)
    return VirtualFleet(policy.load())


def test_what_was_never_used_is_empty_and_asking_makes_no_meter():
    fleet = a_fleet()
    told = levels(fleet.state, "acme", fleet.now)
    assert [(one.quota, one.of, one.per, one.used, one.reset_us) for one in told.limits] == [
        ("all", "requests", "1m", 0, 0),
        ("all", "requests", "day", 0, 0),
        ("team", "total_tokens", "1m", 0, 0),
    ]
    assert [(one.quota, one.used, one.limit) for one in told.concurrency] == [("all", 0, 99)]
    assert [(one.reservation, one.in_force, one.input_ppm) for one in told.reservations] == [("r", True, 0)]
    assert fleet.state.meters == {}


def test_a_bucket_drains_and_a_calendar_counter_waits_for_midnight():
    fleet = a_fleet()
    for _ in range(30):
        fleet.request("globex", prompt=10)
    fleet.run()
    told = {one.per: one for one in levels(fleet.state, "globex", fleet.now).limits}
    assert told["day"].used == 30
    assert 0 < told["1m"].used <= 30
    assert 0 < told["1m"].reset_us <= 30 * SECOND
    later = {one.per: one for one in levels(fleet.state, "globex", fleet.now + MINUTE).limits}
    assert (later["1m"].used, later["1m"].reset_us) == (0, 0)
    assert later["day"].used == 30
    assert 0 < later["day"].reset_us <= 24 * 60 * MINUTE


def test_nobody_is_told_of_anybody_elses():
    fleet = a_fleet()
    for tenant in ("acme", "globex"):
        fleet.request(tenant, prompt=10)
    fleet.run()
    assert {one.tenant for one in levels(fleet.state, "acme/search", fleet.now).limits} == {"acme/search"}
    assert {one.tenant for one in levels(fleet.state, "globex", fleet.now).limits} == {"globex"}
    assert levels(fleet.state, "glob", fleet.now).limits == ()


def test_a_reservation_shows_how_much_of_a_burst_is_taken():
    fleet = a_fleet()
    fleet.request("acme", prompt=5_000, max_tokens=1)
    fleet.run(until=0)
    (lane,) = levels(fleet.state, "acme", fleet.now).reservations
    assert 450_000 <= lane.input_ppm <= 550_000, "5,000 of the 10,000 tokens of ten seconds"


def test_levels_outlive_a_policy_that_drops_their_quota():
    fleet = a_fleet()
    fleet.request("acme", prompt=10)
    fleet.run()
    activate(fleet.state, one_pool("acme").load(), fleet.now)
    assert levels(fleet.state, "acme", fleet.now).limits == ()
