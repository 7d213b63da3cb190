"""Every kind's declaration: what it reads it writes, and what it writes it reads."""

from __future__ import annotations

from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings

from coordination.spec import KINDS, Document, SourceFile, read
from coordination.spec.declaration import Fields, fields_of
from coordination.spec.kinds import NOTATIONS
from coordination.spec.kinds.expectation import Gate
from coordination.spec.kinds.objective import Objective
from coordination.spec.kinds.overflow import OverflowNotation
from coordination.spec.kinds.pool import Auth, Replicas
from coordination.spec.kinds.quota import Amount, Limit
from coordination.spec.notation import Items
from coordination.spec.plain import Plain
from tests.support.policies import quickstart, quickstart_files

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,10}[a-z0-9])?", fullmatch=True)
def written(notation: Notation) -> st.SearchStrategy[Plain]:
    """Everything that may be written in a notation."""
    if isinstance(notation, Fields) and notation.block in SPECIAL:
        return SPECIAL[notation.block]
    if isinstance(notation, Fields):
        return st.fixed_dictionaries(
            {f.name: written(f.notation) for f in notation.fields.values() if isinstance(f.default, Unset)},
            optional={
                f.name: written(f.notation)
                for f in notation.fields.values()
                if not isinstance(f.default, Unset)
            },
        )
    if isinstance(notation, Items):
        unique: Any = {"unique_by": str} if notation.distinct else {}
        return st.lists(written(notation.of), min_size=notation.least, max_size=notation.least + 2, **unique)
    if isinstance(notation, Table):
        return st.dictionaries(written(notation.key), written(notation.of), max_size=2)  # type: ignore[arg-type]
    if isinstance(notation, Bounded):
        return st.integers(notation.least, notation.most).map(notation.write)
    if isinstance(notation, Choice):
        return st.sampled_from(notation.choices)
    if isinstance(notation, OverflowNotation):
        return st.sampled_from(notation.plain.choices) | NAMES.map(lambda name: {"downgrade": name})
    if isinstance(notation, Name):
        return NAMES
    if isinstance(notation, Text):
        if notation.pattern is None:
            return st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=10)
        return st.from_regex(notation.pattern, fullmatch=True).filter(lambda t: len(t) <= notation.longest)
    if isinstance(notation, Instant):
        return st.integers(0, 4 * 10**15).map(notation.write)
    if isinstance(notation, Price):
        return st.integers(0, 10**9).map(lambda n: f"{n} USD/1M tokens")
    if isinstance(notation, Zone):
        return st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])
    if isinstance(notation, Recurrence):
        return st.sampled_from(["FREQ=DAILY", "byday=mo, tu; freq=weekly", "FREQ=MONTHLY;BYDAY=-1FR"])
    if isinstance(notation, HoursNotation):
        minutes = st.integers(0, 24 * 60 - 1).map(lambda n: f"{n // 60:02}:{n % 60:02}")
        return st.tuples(minutes, minutes | st.just("24:00")).map(" - ".join)
    if isinstance(notation, Flag):
        return st.booleans()
    raise AssertionError(f"no strategy for {notation}")
PERIODS = st.sampled_from(["1m", "1h", "day", "month"])
TIMES = st.integers(1, 10**9).map(lambda n: f"{n}us")
def one_limit() -> st.SearchStrategy[Plain]:
    counted = st.sampled_from(["requests", "input_tokens", "output_tokens", "total_tokens"])
    tokens = st.integers(0, 2**53 - 1)
    money = st.integers(0, 9_000_000).map(lambda n: f"{n}.25 EUR")
    def of(kind: st.SearchStrategy[str], amount: Any) -> Any:
        more: Any = dict.fromkeys(("guaranteed", "borrow", "lend"), amount) | {"shadow": st.booleans()}
        return st.fixed_dictionaries({"of": kind, "per": PERIODS, "limit": amount}, optional=more)
    return of(counted, tokens) | of(st.just("spend"), money)  # type: ignore[no-any-return]
def one_objective() -> st.SearchStrategy[Plain]:
    share = st.integers(0, 10**6).map(lambda n: f"{n / 10000:.4f}%")
    timed = st.sampled_from(["ttft", "itl", "tpot", "e2e", "deadline"])
    lengths: Any = st.fixed_dictionaries({"max": st.integers(1, 10**6)})
    answered: Any = st.fixed_dictionaries({"metric": st.just("availability"), "target": share})
    percentiles: Any = st.sampled_from([50, 95, "99.9"])
    quick: Any = st.fixed_dictionaries(
        {"metric": timed, "target": TIMES}, optional={"percentile": percentiles, "uncached_input": lengths}
    )
    return answered | quick  # type: ignore[no-any-return]
def some_replicas() -> st.SearchStrategy[Plain]:
    count = st.integers(1, 100)
    listed: Any = st.sampled_from([{"urls": ["http://a:1"]}, {"urls": ["http://a", "https://[::1]:8"]}])
    named: Any = st.fixed_dictionaries({"dns": st.just("replicas.eu:8000"), "count": count})
    selected: Any = st.fixed_dictionaries({"inference_pool": st.just("models/llama-70b"), "count": count})
    return listed | named | selected  # type: ignore[no-any-return]
def one_gate() -> st.SearchStrategy[Plain]:
    scope: Any = dict.fromkeys(("tier", "tenant", "pool"), NAMES)
    shares: Any = st.fixed_dictionaries(
        {"metric": st.sampled_from(["availability", "cache_hit"]), "target": share}, optional=scope
    timed = st.sampled_from(["ttft", "itl", "tpot", "e2e", "queue"])
    percentile: Any = {"percentile": st.sampled_from([50, 95, "99.9"])}
    times: Any = st.fixed_dictionaries({"metric": timed, "target": TIMES}, optional=scope | percentile)
    return shares | times  # type: ignore[no-any-return]
SPECIAL: dict[type[Block], st.SearchStrategy[Plain]] = {
    Limit: one_limit(),
    Objective: one_objective(),
    Gate: one_gate(),
    Replicas: some_replicas(),
    Auth: st.sampled_from([{"env": "KEY"}, {"file": "/run/key"}]),
}
"""Blocks whose fields depend on each other."""
def documents() -> st.SearchStrategy[dict[str, Any]]:
    def one(kind: str) -> st.SearchStrategy[dict[str, Any]]:
        notation = NOTATIONS[kind]
        spec: Any = written(notation)
        if kind == "Reservation":
            spec = spec.map(_with_days)
        if kind == "Expectation":
            spec = spec.map(_without_contradiction)
        if kind == "PriceBook":
            spec = spec.map(lambda s: {**s, "currency": "USD"})
        return st.fixed_dictionaries({
            "apiVersion": st.just("headway/v1"), "kind": st.just(kind),
            "metadata": st.fixed_dictionaries({"name": NAMES}), "spec": spec,
        })  # fmt: skip
    return st.sampled_from(sorted(KINDS)).flatmap(one)
def _with_days(spec: dict[str, Any]) -> dict[str, Any]:
    """Hours and a zone belong to a window that recurs."""
    window = spec.get("window", {})
    return {**spec, "window": {"recurs": "FREQ=DAILY", **window}} if {"at", "zone"} & set(window) else spec
def _without_contradiction(spec: dict[str, Any]) -> dict[str, Any]:
    """A simulation or a request; one way to say the tier; a reason for refusals only, a pool for the rest."""
    if "given" not in spec or "expect" not in spec:
        return {"simulate": spec.get("simulate", {"gates": [{"metric": "cache_hit", "target": "10%"}]})}
    given, expect = dict(spec["given"]), dict(spec["expect"])
    if "tier" in given:
        given.pop("service_tier", None)
    for name in ("pool", "reservation") if expect["verdict"] == "refuse" else ("reason",):
        expect.pop(name, None)
    return {"given": given, "expect": expect}
from tests.support.written import documents


def read_plain(document: Plain) -> Document:
    policy_set, diagnostics = read([SourceFile("t.json", orjson.dumps(document))])
    assert [d.message for d in diagnostics] == []
    return policy_set.documents[0]


@given(documents())
@settings(max_examples=200, deadline=None)
def test_reading_the_canonical_form_gives_the_same_document_and_the_same_bytes(plain: dict[str, Any]):
    first = read_plain(plain)
    second = read([SourceFile("t.json", first.canonical())])[0].documents[0]
    assert second.spec == first.spec
    assert second.metadata == first.metadata
    assert second.canonical() == first.canonical()


@given(documents())
@settings(max_examples=100, deadline=None)
def test_the_canonical_form_satisfies_the_json_schema_of_its_kind(plain: dict[str, Any]):
    document = read_plain(plain)
    jsonschema.Draft202012Validator(NOTATIONS[document.kind].schema()).validate(document.plain()["spec"])


def test_yaml_and_json_of_one_meaning_have_one_canonical_form():
    for document in quickstart().documents:
        again = read([SourceFile("t.json", document.canonical())])[0].documents[0]
        assert again.canonical() == document.canonical()


@pytest.mark.parametrize(
    ("one", "other"),
    [("{band: 200}", "{band: 200, overflow: refuse, queue: {}}"), ("{band: 0xC8}", "{'band': 200}"),
     ("{band: 200, queue: {max_wait: 60s}}", "{queue: {max_wait: 1m}, band: 200}"),
     ("{band: 200, service_tier: [a]}", "{band: 200, service_tier: ['a']}")],
)  # fmt: skip
def test_equal_meanings_have_equal_forms(one: str, other: str):
    forms = set()
    for spec in (one, other):
        text = f"apiVersion: headway/v1\nkind: Tier\nmetadata: {{name: t}}\nspec: {spec}\n"
        policy_set, diagnostics = read([SourceFile("t.yaml", text.encode())])
        assert diagnostics == []
        forms.add(policy_set.documents[0].canonical())
    assert len(forms) == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_field_is_documented_and_every_kind_described(kind: str):
    assert KINDS[kind].__doc__
    pending = [NOTATIONS[kind]]
    while pending:
        for field in fields_of(pending.pop().block):
            assert field.doc, field.name
            assert field.doc.endswith(".")
            inner = field.notation.of if isinstance(field.notation, Items) else field.notation
            if isinstance(inner, Fields):
                pending.append(inner)


def test_the_references_of_a_document_are_found_with_their_places():
    found = {
        (document.kind, document.name): {(m.kind, m.name) for m in document.mentions()}
        for document in quickstart().documents
    }
    assert found["Reservation", "acme-chat"] == {("Tenant", "acme"), ("Pool", "chat-a"), ("Tier", "priority")}
    assert found["Route", "chat-priority"] == {
        ("Model", "llama-3-8b"), ("Tier", "priority"), ("Pool", "chat-a"), ("Pool", "chat-b")
    }  # fmt: skip
    assert ("Tier", "flex") in found["PriceBook", "list-prices"]


def test_every_sentence_of_the_quickstart_is_read():
    assert len(quickstart().documents) == sum(f.text.count(b"apiVersion:") for f in quickstart_files())


def test_limits_are_amounts():
    assert isinstance({f.name: f for f in fields_of(Limit)}["limit"].notation, Amount)
