"""Which route does a request take, by what it says of itself?"""

from __future__ import annotations

import pytest

from coordination.program.index import Program
from coordination.scheduling.routing import first_match
from coordination.scheduling.traits import NO_TRAITS, Traits
from coordination.scheduling.values import Request
from tests.support.programs import a_policy


@pytest.fixture(scope="module")
def program() -> Program:
    policy = a_policy().model().pool().tier().tenant("acme", tiers=("standard",))
    policy.route("both", rank=1, headers={"x-team": "search", "x-job": "eval"})
    policy.route("team", rank=2, headers={"x-team": "search"})
    policy.route("far", rank=3, regions=("us", "asia"))
    policy.route("alone", rank=4, session=False, prompt=(1000, None))
    policy.route("talking", rank=5, session=True)
    policy.route("rest", rank=6)
    return policy.load()


@pytest.mark.parametrize(
    ("traits", "tokens", "route"),
    [
        (NO_TRAITS, 10, "rest"),
        (NO_TRAITS, 1000, "alone"),
        (Traits(session=True), 1000, "talking"),
        (Traits(region="eu"), 10, "rest"),
        (Traits(region="asia", session=True), 10, "far"),
        (Traits(headers={"x-team": "search"}), 10, "team"),
        (Traits(headers={"x-team": "Search"}), 10, "rest"),
        (Traits(headers={"x-job": "eval"}), 10, "rest"),
        (Traits(region="us", headers={"x-job": "eval", "x-team": "search", "x-a": ""}), 10, "both"),
    ],
)
def test_the_first_route_by_rank_that_asks_for_nothing_the_request_lacks(program, traits, tokens, route):
    request = Request("r", "acme", "m", "standard", False, tokens, None, (), 0, "r", traits=traits)
    found = first_match(program.scope("acme", "standard", "m"), request)
    assert found is not None
    assert found.name == route


def test_a_policy_says_whether_and_which_headers_are_looked_at(program):
    assert program.selective
    assert program.match_headers == {"x-team", "x-job"}
    plain = a_policy().model().pool().tier().tenant("acme", tiers=("standard",)).route().load()
    assert not plain.selective
