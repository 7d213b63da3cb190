"""What differs between two versions of a document, as a table says it."""

from __future__ import annotations

import pytest

from console.mapping.comparing import Difference, differences, three_way, with_value_of

TOKENS = {"of": "total_tokens", "per": "1m", "limit": "4M"}
REQUESTS = {"of": "requests", "per": "1m", "limit": "3k"}
SPEND = {"of": "spend", "per": "month", "limit": "20000 USD"}


def of(*limits):
    return {"spec": {"limits": list(limits)}}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            of(TOKENS, REQUESTS, SPEND),
            of(TOKENS, {**REQUESTS, "limit": 1}, SPEND),
            [Difference("/spec/limits/1/limit", "3k", "1", "of requests, per 1m")],
        ),
        (
            of(TOKENS, REQUESTS),
            of(REQUESTS),
            [Difference("/spec/limits/0", "{of: total_tokens, per: 1m, limit: 4M}", None)],
        ),
        (
            of(REQUESTS),
            of(TOKENS, REQUESTS),
            [Difference("/spec/limits/0", None, "{of: total_tokens, per: 1m, limit: 4M}")],
        ),
        (
            {"spec": {"tiers": ["a", "b"], "band": 1}},
            {"spec": {"tiers": ["a"], "band": 2}},
            [Difference("/spec/band", "1", "2"), Difference("/spec/tiers", "[a, b]", "[a]")],
        ),
        (None, {"spec": {"band": 1}}, [Difference("/spec/band", None, "1")]),
        (of(REQUESTS), of(REQUESTS), []),
        ({"spec": {}}, {"spec": {"guard": {}}}, [Difference("/spec/guard", None, "{}")]),
        (
            {"spec": {"guard": {}}},
            {"spec": {"guard": {"errors": "1%"}}},
            [Difference("/spec/guard/errors", None, "1%")],
        ),
    ],
)
def test_each_place_that_differs_is_told_alone(before, after, told):
    assert differences(before, after) == told


GUARDED = {"guard": {"errors": "1%"}, "rank": 1}


@pytest.mark.parametrize(
    ("theirs", "yours", "merged"),
    [
        ({"guard": {}, "rank": 1}, {**GUARDED, "rank": 2}, {"guard": {}, "rank": 2}),
        ({"rank": 1}, {**GUARDED, "rank": 2}, {"rank": 2}),
        ({**GUARDED, "rank": 2}, {"guard": {}, "rank": 1}, {"guard": {}, "rank": 2}),
        ({**GUARDED, "rank": 2}, {"rank": 1}, {"rank": 2}),
        ({**GUARDED, "pool": {}}, {**GUARDED, "rank": 2}, {**GUARDED, "rank": 2, "pool": {}}),
    ],
)
def test_a_block_with_nothing_in_it_is_not_lost_when_two_edits_are_put_together(theirs, yours, merged):
    """A guard without fields holds with its defaults; no guard is another thing."""
    assert three_way(GUARDED, theirs, yours)[0] == merged


def test_of_a_block_whose_last_field_is_taken_back_the_block_stays_if_it_stands_there_too():
    mine = {"guard": {"errors": "1%"}}
    assert with_value_of(mine, {"guard": {}}, "/guard/errors") == {"guard": {}}
    assert with_value_of(mine, {}, "/guard/errors") == {}
