"""What a client's words mean, and how its prompt is hashed."""

from __future__ import annotations

import pytest

from coordination.program.index import Program
from coordination.scheduling import Classified, Refusal, block_hashes, classify, salt
from tests.support.programs import a_policy


@pytest.fixture(scope="module")
def program() -> Program:
    policy = (
        a_policy().model("m", served_name="org/m", aliases=("short",), adapters=("org/m-sql",)).model("n")
    )
    policy.pool().pool("pn", model="n")
    policy.tier("priority", service_tier=("priority", "fast"), band=300)
    policy.tier("standard", service_tier=("default", "standard"), cache_sharing="pool")
    policy.tier("flex", band=100)
    policy.tenant("acme", tiers=("priority", "standard"), default_tier="standard")
    policy.tenant("plain", tiers=("flex",))
    return policy.reservation("r", "acme", tier="priority").route().load()


@pytest.mark.parametrize(
    ("tenant", "service_tier", "model", "expected"),
    [
        ("acme", None, "org/m", Classified("m", "standard", False, "default")),
        ("acme", "auto", "short", Classified("m", "standard", False, "default")),
        ("acme", None, "org/m-sql", Classified("m", "standard", False, "default", "org/m-sql")),
        ("acme", "fast", "org/m", Classified("m", "priority", False, "fast")),
        ("acme", "default", "n", Classified("n", "standard", False, "default")),
        ("acme", "scale", "org/m", Classified("m", "priority", True, "scale")),
        ("acme", "flex", "org/m", "tier_not_entitled"),
        ("acme", "platinum", "org/m", "unknown_tier"),
        ("acme", None, "m", "model_not_found"),
        ("acme", "scale", "n", "tier_not_entitled"),
        ("plain", "scale", "org/m", "tier_not_entitled"),
        ("plain", "flex", "n", Classified("n", "flex", False, "flex")),
        ("stranger", None, "n", "tier_not_entitled"),
    ],
)
def test_classification(program, tenant, service_tier, model, expected):
    found = classify(program, tenant, service_tier, model)
    if isinstance(expected, str):
        assert isinstance(found, Refusal)
        assert found.code == expected
        assert found.message
    else:
        for name in ("model", "tier", "scale", "tier_requested", "adapter"):
            assert getattr(found, name) == getattr(expected, name)


def test_prefixes_are_shared_within_a_tenant_or_a_pool_but_never_beyond(program):
    own = Classified("m", "priority", False, "priority")
    shared = Classified("m", "standard", False, "standard")
    assert salt(program, own, "acme", "s") != salt(program, own, "plain", "s")
    assert salt(program, shared, "acme", "s") == salt(program, shared, "plain", "s")
    assert salt(program, shared, "acme", "s") != salt(program, shared, "acme", "another process")
    adapted = Classified("m", "standard", False, "standard", "org/m-sql")
    assert salt(program, shared, "acme", "s") != salt(program, adapted, "acme", "s")
    other = Classified("n", "standard", False, "standard")
    assert salt(program, shared, "acme", "s") != salt(program, other, "acme", "s")


def test_equal_hashes_mean_equal_text_up_to_there():
    text = bytes(range(256)) * 10
    hashes = block_hashes(text, 7)
    assert len(hashes) == 5
    assert block_hashes(text + b"more", 7) == hashes, "a block that is not full is not counted"
    changed = bytearray(text)
    changed[600] ^= 1
    other = block_hashes(bytes(changed), 7)
    assert other[0] == hashes[0]
    assert all(a != b for a, b in zip(other[1:], hashes[1:], strict=True)), "chained: all that follow differ"
    assert block_hashes(b"", 7) == []
    assert block_hashes(text, 8)[0] != hashes[0]
