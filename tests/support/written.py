"""What may be written in the language? Made of its declarations, for every kind and every field."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from coordination.spec import KINDS
from coordination.spec.declaration import Block, Fields
from coordination.spec.finding import Finding, Unset
from coordination.spec.kinds import NOTATIONS
from coordination.spec.kinds.expectation import PLACED_FOR, Gate
from coordination.spec.kinds.objective import Objective
from coordination.spec.kinds.overflow import OverflowNotation
from coordination.spec.kinds.pool import Auth, Replicas
from coordination.spec.kinds.quota import Limit
from coordination.spec.notation import (
    Bounded,
    Choice,
    Flag,
    Instant,
    Items,
    Name,
    Notation,
    Price,
    Table,
    Text,
)
from coordination.spec.plain import Plain
from coordination.spec.recurrence import HoursNotation, Recurrence
from coordination.spec.zones import Zone

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


SAMPLES: tuple[Plain, ...] = (
    True, False, "ab", "cd", "1", "2", "70s", "80s", "70%", "80%", "1 tokens/min", "2 tokens/min",
    "5 USD/1M tokens", "6 USD/1M tokens", "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z", "UTC",
    "Asia/Kolkata", "EUR", "USD", "http://a:1", "http://b:1", "a/b", "a:1", "FREQ=DAILY", "FREQ=WEEKLY",
    "09:00-17:00", {"downgrade": "ab"}, "spill",
)  # fmt: skip
"""Between them they hold two values of every notation."""


def whole(notation: Notation, nth: int = 0) -> Any:
    """Every field filled, two entries in every list and table, whether or not all may stand together.

    ``nth`` asks for another value than the first.
    """
    if isinstance(notation, Fields):
        return {field.name: whole(field.notation, nth) for field in notation.fields.values()}
    if isinstance(notation, Items):
        return [whole(notation.of), whole(notation.of, 1)]
    if isinstance(notation, Table):
        return {
            str(whole(notation.key)): whole(notation.of),
            str(whole(notation.key, 1)): whole(notation.of, 1),
        }
    known = getattr(notation, "choices", SAMPLES)
    fitting = [sample for sample in known if _reads(notation, sample)]
    assert fitting, f"no sample for {notation.says()}"
    return fitting[nth % len(fitting)]


def _reads(notation: Notation, sample: Plain) -> bool:
    found: list[Finding] = []
    notation.read(sample, None, found)
    return not found


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
    share = st.integers(0, 10**6).map(lambda n: f"{n / 10000:.4f}%")
    scope: Any = dict.fromkeys(("tier", "tenant", "pool"), NAMES)
    shares: Any = st.fixed_dictionaries(
        {"metric": st.sampled_from(["availability", "cache_hit"]), "target": share}, optional=scope
    )
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


def documents(*kinds: str) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of ``kinds`` (of every kind when none is named) that can be read without a finding."""

    def one(kind: str) -> st.SearchStrategy[dict[str, Any]]:
        notation = NOTATIONS[kind]
        spec: Any = written(notation)
        if kind == "Reservation":
            spec = spec.map(_with_days).map(_of_a_pool_or_a_model)
        if kind == "Expectation":
            spec = spec.map(_without_contradiction)
        if kind == "PriceBook":
            spec = spec.map(lambda s: {**s, "currency": "USD"})
        return st.fixed_dictionaries({
            "apiVersion": st.just("headway/v1"), "kind": st.just(kind),
            "metadata": st.fixed_dictionaries({"name": NAMES}), "spec": spec,
        })  # fmt: skip

    return st.sampled_from(sorted(kinds or KINDS)).flatmap(one)


def _with_days(spec: dict[str, Any]) -> dict[str, Any]:
    """Hours and a zone belong to a window that recurs."""
    window = spec.get("window", {})
    return {**spec, "window": {"recurs": "FREQ=DAILY", **window}} if {"at", "zone"} & set(window) else spec


def _of_a_pool_or_a_model(spec: dict[str, Any]) -> dict[str, Any]:
    """One of the two; regions with the model alone."""
    if "model" in spec:
        return {key: value for key, value in spec.items() if key != "pool"}
    return {"pool": "p", **{key: value for key, value in spec.items() if key != "regions"}}


def _without_contradiction(spec: dict[str, Any]) -> dict[str, Any]:
    """A simulation or a request; one way to say the tier; codes for refusals, pools and such for the rest."""
    if "given" not in spec or "expect" not in spec:
        return {"simulate": spec.get("simulate", {"gates": [{"metric": "cache_hit", "target": "10%"}]})}
    given, expect = dict(spec["given"]), dict(spec["expect"])
    if "tier" in given:
        given.pop("service_tier", None)
    refused = expect["verdict"] == "refuse"
    for name in ("pool", "reservation", "wait", "replica") if refused else ():
        expect.pop(name, None)
    if "reason" in expect and (expect["reason"] in PLACED_FOR) == refused:
        del expect["reason"]
    return {"given": given, "expect": expect}
