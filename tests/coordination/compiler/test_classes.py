"""Each overlap of classes is found once, and the fixes, one after another, leave none."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.spec.mending import patched
from tests.support.policies import diagnose, world_with

CLASSES = st.lists(
    st.tuples(st.integers(0, 40), st.none() | st.integers(1, 40)).filter(
        lambda each: each[1] is None or each[0] <= each[1]
    ),
    min_size=1,
    max_size=5,
)


def tier(classes):
    lengths = [{"min": least} | ({} if most is None else {"max": most}) for least, most in classes]
    return {
        "apiVersion": "headway/v1",
        "kind": "Tier",
        "metadata": {"name": "priority"},
        "spec": {
            "service_tier": ["priority", "fast"],
            "band": 300,
            "queue": {"max_wait": "0s"},
            "objectives": [
                {"metric": "ttft", "target": "60s", "uncached_input": {k: v for k, v in one.items() if v}}
                for one in lengths
            ],
        },
    }


def overlaps(tree):
    return [one for one in diagnose(world_with(json.dumps(tree), file="case.json")) if one.code == "SLO308"]


@settings(max_examples=60, deadline=None)
@given(CLASSES)
def test_each_overlap_is_found_once_and_none_where_classes_share_nothing(classes):
    found = overlaps(tier(classes))
    shared = 0
    for at, one in enumerate(ordered := sorted(classes, key=top)):
        mine = range(one[0], 42 if one[1] is None else one[1] + 1)
        others = (range(o[0], 42 if o[1] is None else o[1] + 1) for o in ordered[:at])
        shared += any(set(mine) & set(other) for other in others)
    assert len(found) == shared


def top(each):
    return each[0], 10**6 if each[1] is None else each[1]


def test_the_fixes_make_a_ladder_of_classes_that_were_nested():
    tree = tier([(0, 10), (0, 20), (5, 30), (0, None)])
    while found := overlaps(tree):
        fix = next(one.fix for one in found if one.fix)
        for operation in fix.patch:
            patched(tree, operation)
    lengths = [one["uncached_input"] for one in tree["spec"]["objectives"]]
    assert lengths == [{"max": 10}, {"min": 11, "max": 20}, {"min": 21, "max": 30}, {"min": 31}]
