"""What differs between two versions of a document, as a table says it."""

from __future__ import annotations

import pytest

from console.mapping.comparing import Difference, differences

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
    ],
)
def test_each_place_that_differs_is_told_alone(before, after, told):
    assert differences(before, after) == told
