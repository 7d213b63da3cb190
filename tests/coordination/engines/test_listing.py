"""Which of the models a server lists are adapters?"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from coordination.engines import Listing, read_listing
from coordination.engines.listing import LISTING_LIMIT, MOST_LISTED, NAME_LIMIT


def listed(*models: Mapping[str, object]) -> bytes:
    return json.dumps({"object": "list", "data": list(models)}).encode()


@pytest.mark.parametrize(
    ("body", "models", "adapters"),
    [
        (  # vLLM: an adapter has the model it sits on as its parent, the model has none
            listed(
                {"id": "org/m", "object": "model", "root": "org/m", "parent": None, "max_model_len": 8192},
                {"id": "sql", "object": "model", "root": "/adapters/sql", "parent": "org/m"},
            ),
            {"org/m", "sql"},
            {"sql"},
        ),
        (listed({"id": "org/m", "owned_by": "sglang"}), {"org/m"}, set()),
        (listed({"id": "org/m", "parent": "org/m"}), {"org/m"}, set()),
        (listed(), set(), set()),
    ],
)
def test_a_list_of_models_is_read(body, models, adapters):
    assert read_listing(body) == Listing(frozenset(models), frozenset(adapters))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"data": null}',
        b'{"data": [{"id": 1}]}',
        b'{"data": [{}]}',
        listed({"id": "x" * (NAME_LIMIT + 1)}),
        listed(*[{"id": str(n)} for n in range(MOST_LISTED + 1)]),
        listed({"id": "m"}) + b" " * LISTING_LIMIT,
    ],
)
def test_what_is_no_such_list_says_nothing(body):
    assert read_listing(body) is None
