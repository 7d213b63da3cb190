"""What a change would do, said and judged: a table of stories, and what holds for every difference."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.plan import diff, render_text
from coordination.plan.categories import ORDER, RULES, WHOLE, worst
from coordination.plan.impact import _tightest
from coordination.spec import PolicySet, SourceFile, read
from coordination.spec.declaration import Fields
from coordination.spec.kinds import KINDS, NOTATIONS
from coordination.spec.notation import Items, Notation, Table
from tests.support.policies import NEW_YEAR_2026, quickstart, quickstart_files, world_with, written

RESERVED = """\
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 100k tokens/min, output: %s tokens/min}
  window: {from: %s}"""
LIMITS = "spec: {tenant: acme, limits: [%s]}"
PER_MINUTE = "{of: requests, per: 1m, limit: %s}"


def policy(*documents: tuple[str, str], without: tuple[str, ...] = ()) -> PolicySet:
    text = "---\n".join(written(*each) for each in documents) or "# nothing\n"
    policy_set, found = read(world_with(text, without=without))
    assert [d.message for d in found] == []
    return policy_set


def changes(before: PolicySet, after: PolicySet) -> list[tuple[str, str]]:
    found = diff(before, after, environment=None, at=NEW_YEAR_2026)
    return [(change.sentence, change.category) for change in found.changes]


TIER = "spec: {band: 100, queue: {max_wait: 1s}, objectives: [%s]}"
STORIES = [
    (
        "a reservation grows, from a day to come",
        ("Reservation/r", RESERVED % ("6k", "2026-12-01T00:00:00Z")),
        ("Reservation/r", RESERVED % ("9k", "2026-12-01T00:00:00Z")),
        [("acme: priority output 6k -> 9k tokens/min from 1 Dec 2026", "widening")],
    ),
    (
        "a reservation begins later",
        ("Reservation/r", RESERVED % ("6k", "2026-01-01T00:00:00Z")),
        ("Reservation/r", RESERVED % ("6k", "2026-02-01T00:00:00Z")),
        [("acme: from 2026-01-01T00:00:00Z -> 2026-02-01T00:00:00Z", "narrowing")],
    ),
    (
        "a limit is lowered, though another came before it",
        ("Quota/q", LIMITS % (PER_MINUTE % 60)),
        ("Quota/q", LIMITS % ("{of: input_tokens, per: 1m, limit: 1M}, " + PER_MINUTE % 30)),
        [
            ("acme: requests a minute 60 -> 30", "narrowing"),
            ("acme: input tokens a minute added (limit 1M)", "narrowing"),
        ],
    ),
    (
        "a class of requests is promised something else, and a deadline comes",
        ("Tier/fast", TIER % "{metric: ttft, target: 9s, uncached_input: {max: 8k}}"),
        (
            "Tier/fast",
            TIER % "{metric: deadline, percentile: 99, target: 60s}, "
            "{metric: ttft, percentile: 95, target: 8s, uncached_input: {max: 8k}}, "
            "{metric: ttft, target: 20s, uncached_input: {min: 8001}}",
        ),
        [
            (
                "fast: objective ttft p95 for up to 8,000 uncached input tokens percentile none -> 95",
                "no_effect",
            ),
            ("fast: objective ttft p95 for up to 8,000 uncached input tokens target 9s -> 8s", "moving"),
            ("fast: objective deadline p99 added (target 1m)", "moving"),
            ("fast: objective ttft p95 for 8,001 uncached input tokens or more added (target 20s)", "moving"),
        ],
    ),
    (
        "a limit goes",
        ("Quota/q", LIMITS % (PER_MINUTE % 60)),
        ("Quota/q", LIMITS % ""),
        [("acme: requests a minute removed (limit 60)", "widening")],
    ),
    (
        "a right that is handed on",
        ("Quota/q", "spec: {tenant: acme}"),
        ("Quota/q", "spec: {tenant: acme, delegation: {limits: true}}"),
        [("acme: delegation of limits no -> yes", "widening")],
    ),
    (
        "a right that is taken back",
        ("Quota/q", "spec: {tenant: acme, delegation: {weight: true, limits: true}}"),
        ("Quota/q", "spec: {tenant: acme, delegation: {limits: true}}"),
        [("acme: delegation of weight yes -> no", "narrowing")],
    ),
    (
        "no concurrency limit is the widest",
        ("Quota/q", "spec: {tenant: acme, concurrency: 4}"),
        ("Quota/q", "spec: {tenant: acme}"),
        [("acme: concurrency 4 -> none", "widening")],
    ),
    (
        "a tier is taken from a tenant",
        ("Tenant/acme", "spec: {tiers: [priority, standard], default_tier: standard}"),
        ("Tenant/acme", "spec: {tiers: [standard], default_tier: standard}"),
        [("acme: tiers loses priority", "breaking")],
    ),
    (
        "clients lose a word for a tier",
        ("Tier/priority", "spec: {service_tier: [priority, fast], band: 300}"),
        ("Tier/priority", "spec: {service_tier: [priority, quick], band: 300}"),
        [("priority: service tier gains quick and loses fast", "breaking")],
    ),
    (
        "a route matches less",
        ("Route/everything", "spec: {rank: 100, targets: [{pool: chat}]}"),
        ("Route/everything", "spec: {rank: 100, match: {tiers: [standard]}, targets: [{pool: chat}]}"),
        [("everything: matched tiers any -> standard", "moving")],
    ),
    (
        "the order in which fields are written",
        ("Tier/priority", "spec: {service_tier: [priority, fast], band: 300}"),
        ("Tier/priority", "spec: {band: 300, service_tier: [priority, fast]}"),
        [],
    ),
]


@pytest.mark.parametrize(("before", "after", "said"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES])
def test_a_change_is_said_and_judged(before, after, said):
    assert changes(policy(before), policy(after)) == said


def test_objects_come_and_go():
    reservation = ("Reservation/r", RESERVED % ("6k", "2026-12-01T00:00:00Z"))
    said = "acme: reservation r of 100k in, 6k out tokens/min in tier priority {} from 1 Dec 2026"
    assert changes(policy(), policy(reservation)) == [(said.format("added"), "widening")]
    assert changes(policy(reservation), policy()) == [(said.format("removed"), "narrowing")]


def test_what_a_change_reaches_and_what_each_is_sure_of_before_and_after():
    tenants = [("Tenant/acme", "spec: {tiers: [standard]}"), ("Tenant/globex", "spec: {tiers: [standard]}")]
    light, heavy = (("Quota/q", f"spec: {{tenant: acme, weight: {n}}}") for n in (1, 3))
    found = diff(policy(*tenants, light), policy(*tenants, heavy), environment=None, at=NEW_YEAR_2026)
    assert found.category == "moving"
    assert found.reach.tenants == ("acme", "globex"), "a weight that grows is taken from the siblings"
    assert found.guarantees is not None
    shares = {
        name: [each.share_ppm for each in sides if each is not None]
        for name, sides in found.guarantees.items()
    }
    assert shares == {"acme": [500_000, 750_000], "globex": [500_000, 250_000]}
    assert "globex: 50.0 % of what is contended -> 25.0 %" in render_text(found, colour=False)


def test_a_policy_with_errors_promises_nothing():
    broken = policy(("Quota/q", "spec: {tenant: nobody}"))
    found = diff(policy(), broken, environment=None, at=NEW_YEAR_2026)
    assert found.guarantees is None
    assert found.as_json()["impact"]["guarantees"] is None


def test_nothing_differs_from_itself_whatever_the_order_of_files():
    files = quickstart_files()
    random.Random(7).shuffle(files)
    shuffled, _ = read(files)
    found = diff(quickstart(), shuffled, environment="dev", at=NEW_YEAR_2026)
    assert found.changes == ()
    assert found.category == "no_effect"
    assert render_text(found, colour=True) == "no difference\n"


def test_the_digest_names_the_changes_and_nothing_else():
    one = policy(("Quota/q", LIMITS % (PER_MINUTE % 60)))
    two = policy(("Quota/q", LIMITS % (PER_MINUTE % 30)))
    digests = {diff(one, two, environment=None, at=at).digest for at in (NEW_YEAR_2026, NEW_YEAR_2026 + 1)}
    assert len(digests) == 1
    assert digests != {diff(two, one, environment=None, at=NEW_YEAR_2026).digest}
    json.dumps(diff(one, two, environment=None, at=NEW_YEAR_2026).as_json(), default=str)


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 10), st.integers(0, 9), st.integers(0, 9)), max_size=6
    )
)
@settings(max_examples=200, deadline=None)
def test_the_tightest_instant_is_what_looking_at_every_instant_finds(stretches):
    edges, horizon = [], 25
    for start, length, inputs, outputs in stretches:
        edges.append((start, inputs, outputs))
        if start + length < horizon:
            edges.append((start + length, -inputs, -outputs))
    held = [
        [sum(s[side] for s in stretches if s[0] <= at < s[0] + s[1]) for side in (2, 3)]
        for at in range(horizon)
    ]
    assert _tightest(edges, 0, horizon) == (min(h[0] for h in held), min(h[1] for h in held))


def shapes(notation: Notation, shape: tuple[str, ...] = ()) -> set[str]:
    """Every innermost place of a kind."""
    if isinstance(notation, Fields):
        return {found for f in notation.fields.values() for found in shapes(f.notation, (*shape, f.name))}
    if isinstance(notation, Table | Items) and isinstance(notation.of, Fields):
        return shapes(notation.of, (*shape, "*"))
    return {"/".join((*shape, "*") if isinstance(notation, Table) else shape)}


NAMING = {"limits/*/of", "limits/*/per", "targets/*/pool", "entries/*/model", "entries/*/from"}
"""Fields that tell entries apart: another value is another entry."""


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"Expectation"}))
def test_no_field_of_the_language_is_unknown_to_the_categories(kind):
    known = RULES[kind]
    missing = {
        shape
        for shape in shapes(NOTATIONS[kind]) - NAMING
        if not any(shape == rule or shape.startswith(f"{rule}/") for rule in known)
    }
    assert missing == set()
    assert kind in WHOLE


@given(st.lists(st.sampled_from(ORDER)))
def test_the_worst_of_several_is_one_of_them_and_none_is_worse(found):
    assert worst(found) in (found or ["no_effect"])
    assert all(ORDER.index(each) <= ORDER.index(worst(found)) for each in found)


def test_a_policy_set_read_from_json_differs_in_nothing():
    documents = [d.canonical() for d in quickstart().documents]
    again, _ = read([SourceFile(f"{n}.json", body) for n, body in enumerate(documents)])
    assert diff(quickstart(), again, environment=None, at=NEW_YEAR_2026).changes == ()
