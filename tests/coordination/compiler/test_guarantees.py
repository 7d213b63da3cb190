"""Guarantees in a tree of tenants (R9), against counting: can all children draw theirs at the same time?"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.policies import diagnose, world_with

NODES = ("acme", "acme/a", "acme/b", "acme/a/x", "acme/a/y")
TENANT = "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: %s}\nspec: {tiers: [standard]}\n"
QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: %s}
spec: {tenant: %s, limits: [{of: requests, per: 1m, limit: %d%s}]}
"""


class Node(NamedTuple):
    limit: int
    guaranteed: int | None
    lend: int | None
    borrow: int | None


AMOUNTS = st.none() | st.integers(0, 6)
TREES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(NODES, st.builds(Node, st.integers(0, 6), *[AMOUNTS] * 3))
)


def written(tree: dict[str, Node]) -> str:
    parts = [TENANT % name for name in NODES]
    for name, node in tree.items():
        more = "".join(
            f", {field}: {getattr(node, field)}"
            for field in ("guaranteed", "lend", "borrow")
            if getattr(node, field) is not None
        )
        parts.append(QUOTA % (name.replace("/", "-"), name, node.limit, more))
    return "---\n".join(parts)


@given(TREES)
@settings(max_examples=60, deadline=None)
def test_guarantees_are_refused_exactly_when_they_cannot_all_be_kept(tree: dict[str, Node]):
    found = {(d.code, d.object.name) for d in diagnose(world_with(written(tree))) if d.object}

    def said(code: str) -> set[str]:
        return {name for each, name in found if each == code}

    def has(name: str) -> int:
        node = tree[name]
        return node.limit if node.guaranteed is None else node.guaranteed

    def nearest(name: str) -> str | None:
        above = [up for up in tree if name.startswith(f"{up}/")]
        return max(above, key=len, default=None)

    broken = set()
    for parent in tree:
        drawn = 0  # one request at a time, as long as somebody's guarantee is not used up
        children = [tree[n] for n in tree if nearest(n) == parent]
        left = [child.guaranteed or 0 for child in children]
        while any(left):
            left[left.index(max(left))] -= 1
            drawn += 1
        if drawn > has(parent):
            broken.add(parent.replace("/", "-"))
    assert said("CAP208") == broken
    assert said("CAP209") == {
        name.replace("/", "-")
        for name, node in tree.items()
        if (node.lend is not None and node.lend > (-1 if node.guaranteed is None else node.guaranteed))
        or (node.guaranteed is not None and node.guaranteed > node.limit)
    }
