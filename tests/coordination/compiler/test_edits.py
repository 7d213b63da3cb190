"""A check that begins from an earlier one finds what one from nothing finds, whatever was edited between."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.compiler import Checked, checked
from coordination.compiler.answers import Answers
from coordination.compiler.checking import _findings
from coordination.compiler.emitting import emit
from coordination.compiler.expectations import _outcome
from coordination.compiler.outcome import program_of, records_of
from coordination.compiler.rules import MODULES
from coordination.spec import Document, PolicySet, SourceFile, read
from tests.fuzz.subjects import EVERYTHING
from tests.support.policies import NEW_YEAR_2026, load_table, world_with
from tests.support.spelled import spelled

TABLES = Path(__file__).parent / "rules"
DAY = 86_400_000_000
Key = tuple[str, str]
Edits = dict[Key, Document | None]


@cache
def written() -> dict[Key, tuple[Document, ...]]:
    """Every document of every rule's table and of the sound policy, by what it is called."""
    texts = [case.given for m in MODULES for case in load_table(TABLES, m.RULE.code)]
    found: dict[Key, list[Document]] = {}
    for n, text in enumerate([EVERYTHING, *texts]):
        data = text if isinstance(text, bytes) else text.encode()
        for document in read(world_with(data, file=f"{n}.yaml"))[0].documents:
            found.setdefault((document.kind, document.name), []).append(document)
    return {key: tuple(documents) for key, documents in sorted(found.items())}


@cache
def world() -> PolicySet:
    return read(world_with(EVERYTHING))[0]


@st.composite
def edits(draw: st.DrawFn) -> Edits:
    """Some objects, each written as in one of the tables, or gone."""
    keys = draw(st.lists(st.sampled_from(list(written())), min_size=1, max_size=4, unique=True))
    return {key: draw(st.none() | st.sampled_from(written()[key])) for key in keys}


@cache
def base() -> Checked:
    return checked(world(), "dev", NEW_YEAR_2026)


@cache
def asked_world() -> PolicySet:
    """With expectations, so that a check of it compiles it."""
    return read(world_with(EVERYTHING + ASKED))[0]


def after(policy_set: PolicySet, changed: Edits) -> PolicySet:
    return policy_set.with_edits(changed, broken=policy_set.broken, complete=policy_set.complete)


def anew(policy_set: PolicySet) -> PolicySet:
    """The same documents put together from nothing."""
    return PolicySet(
        reversed(policy_set.documents), broken=policy_set.broken, complete=policy_set.complete, texts={}
    )


ENVIRONMENTS = st.sampled_from([None, "dev", "eu"])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(edits(), ENVIRONMENTS, st.integers(0, 1)), min_size=1, max_size=4))
def test_edit_by_edit_the_check_is_that_of_a_check_from_nothing(steps):
    policy_set, before = asked_world(), checked(asked_world(), "dev", NEW_YEAR_2026)
    for changed, environment, day in steps:
        policy_set = after(policy_set, changed)
        at = NEW_YEAR_2026 + day * DAY
        now, wanted = checked(policy_set, environment, at, before), checked(anew(policy_set), environment, at)
        assert now.diagnostics == wanted.diagnostics
        assert_alike(now, wanted)
        before = now


def assert_alike(now: Checked, wanted: Checked) -> None:
    """One question never has two answers: what each rule found, not only what came of it."""
    mine, theirs = now.catalogue.answers, wanted.catalogue.answers
    rules = [key for key in theirs if key[0] is _findings]
    assert {key: mine[key] for key in rules} == {key: theirs[key] for key in rules}
    assert now.catalogue.windows == wanted.catalogue.windows
    assert now.catalogue.dangling == wanted.catalogue.dangling
    if program_of in {key[0] for key in theirs}:  # sound, so that the expectations were asked
        assert now.catalogue.ask(records_of) == wanted.catalogue.ask(records_of)
        assert repr(spelled(tables_of(now))) == repr(spelled(tables_of(wanted))), (
            "what stands for the records"
        )


def tables_of(one: Checked) -> list[object]:
    program = one.catalogue.ask(program_of)
    named: list[object] = [program.models, program.pools, program.tiers, program.tenants, program.quotas]
    return [*named, program.reservations, program.routes, program._pledges]


@settings(max_examples=8, deadline=None)
@given(edits(), edits())
def test_drafts_on_one_base_do_not_hear_of_each_other(one, other):
    for changed in (one, other):
        policy_set = after(world(), changed)
        found = checked(policy_set, "dev", NEW_YEAR_2026, base()).diagnostics
        assert found == checked(policy_set, "dev", NEW_YEAR_2026).diagnostics
    assert checked(world(), "dev", NEW_YEAR_2026, base()).diagnostics == base().diagnostics


@settings(max_examples=8, deadline=None)
@given(st.lists(edits(), max_size=4))
def test_an_edited_set_is_built_like_one_put_together_from_nothing(steps):
    policy_set = world()
    for changed in steps:
        policy_set = after(policy_set, changed)
    assert policy_set.documents == anew(policy_set).documents
    made, wanted = (
        emit(each, environment="dev", at=NEW_YEAR_2026, tzdata="test")
        for each in (policy_set, anew(policy_set))
    )
    assert made == wanted


def test_only_what_an_edit_can_touch_is_worked_out_again(monkeypatch):
    """A tenant's new name for people reaches no rule about pools, routes or time."""
    policy_set, _ = read(world_with(EVERYTHING))
    base = checked(policy_set, "dev", NEW_YEAR_2026)
    text = "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: acme}\n"
    text += "spec: {display_name: New, tiers: [priority, standard], labels: {team: search}}\n"
    tenant = read([SourceFile("t.yaml", text.encode())])[0].documents[0]
    worked_out: list[str] = []
    answer = Answers._answer

    def noting(self, key, work):
        if key[0] is _findings:
            worked_out.append(key[1].RULE.code)
        return answer(self, key, work)

    monkeypatch.setattr(Answers, "_answer", noting)
    checked(after(policy_set, {("Tenant", "acme"): tenant}), "dev", NEW_YEAR_2026, base)
    assert {"CAP202", "CAP204"} <= set(worked_out)
    assert not {"CAP201", "TIME603", "SLO301", "QUOTA501", "ROUTE404"} & set(worked_out)


def test_what_nobody_asks_again_is_forgotten():
    """A session of a thousand drafts holds as much as a session of two."""
    policy_set, _ = read(world_with(EVERYTHING))
    now = checked(policy_set, "dev", NEW_YEAR_2026)
    (key,) = [key for key in written() if key == ("Pool", "chat")]
    sizes: list[int] = []
    for n in range(12):
        policy_set = after(policy_set, {key: written()[key][n % 3]})
        now = checked(policy_set, "dev", NEW_YEAR_2026, now)
        sizes.append(len(now.catalogue.answers))
    assert sizes[3:6] == sizes[6:9] == sizes[9:12]


def test_an_edited_expectation_is_asked_alone(monkeypatch):
    """What it says of the policy changes nothing that the others are asked about."""
    policy_set, _ = read(world_with(EVERYTHING + ASKED))
    base = checked(policy_set, "dev", NEW_YEAR_2026)
    assert [d.code for d in base.diagnostics if d.code == "TEST801"] == []
    edited = read([SourceFile("e.yaml", ASKED.replace("verdict: admit", "verdict: refuse").encode())])[0]
    (key,) = [key for key in ((d.kind, d.name) for d in edited.documents) if key == ("Expectation", "one")]
    asked: list[str] = []
    answer = Answers._answer

    def noting(self, key, work):
        if key[0] in (_outcome, program_of):
            asked.append(getattr(key[1], "name", "") if len(key) > 1 else "the program")
        return answer(self, key, work)

    monkeypatch.setattr(Answers, "_answer", noting)
    changed = next(d for d in edited.documents if (d.kind, d.name) == key)
    found = checked(after(policy_set, {key: changed}), "dev", NEW_YEAR_2026, base)
    assert asked == ["one"]
    assert [d.object.name for d in found.diagnostics if d.code == "TEST801" and d.object] == ["one"]


def test_only_what_an_edit_changes_is_compiled_again():
    """Records and objects of all else are the same ones, not equal ones."""
    policy_set = asked_world()
    before = checked(policy_set, "dev", NEW_YEAR_2026)
    (held,) = [d for d in policy_set.documents if (d.kind, d.name) == ("Reservation", "office")]
    other = msgspec.structs.replace(held.spec, lend_when_idle=not held.spec.lend_when_idle)
    edit = Document("Reservation", held.metadata, other, held.positions)
    now = checked(after(policy_set, {("Reservation", held.name): edit}), "dev", NEW_YEAR_2026, before)
    one, again = (each.catalogue.ask(records_of) for each in (before, now))
    assert one.reservations != again.reservations
    moved = [r.name for r, s in zip(one.reservations, again.reservations, strict=True) if r is not s]
    assert moved == [held.name]
    for field in ("models", "pools", "tenants", "tiers", "quotas", "price_books", "routes"):
        assert getattr(one, field) is getattr(again, field)
    mine, theirs = (each.catalogue.ask(program_of) for each in (before, now))
    assert mine.tenants is theirs.tenants
    assert mine.quotas is not theirs.quotas, "to which each program adds those of its teams"


ASKED = "".join(
    f"---\napiVersion: headway/v1\nkind: Expectation\nmetadata: {{name: {name}}}\n"
    "spec: {given: {tenant: acme, model: llama-3-8b}, expect: {verdict: admit}}\n"
    for name in ("one", "two")
)
