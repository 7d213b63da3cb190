"""Which documents would compile to these records? A bundle holds no documents; this is its way back.

What is compiled is lifted by the names the two forms share: a field of the language is the record's field of
that name, but for a suffix of its unit and the few places in ``shaped``. What a gateway does not read was
never compiled and is not here: such a field has its default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from coordination.program.records import ProgramRecords
from coordination.program.shards import KIND_FIELDS
from coordination.spec import Document, Metadata, PolicySet
from coordination.spec.declaration import Block, Field, Fields
from coordination.spec.document import Positions
from coordination.spec.kinds import NOTATIONS
from coordination.spec.kinds.objective import Bound
from coordination.spec.kinds.overflow import Overflow, OverflowNotation
from coordination.spec.kinds.quota import Amount
from coordination.spec.notation import Items, Notation, Price, Table
from coordination.spec.quantities import NO_CURRENCY, Money

SUFFIXES = ("", "_ppm", "_nano")
NOWHERE = "bundle"
"""The file a lifted document is said to stand in."""

Tree = dict[str, Any]
"""A record with its fields by name, nested records likewise."""


def lift(records: ProgramRecords) -> PolicySet:
    """The policy set of a program. Windows are left out: what is compiled of them is intervals."""
    currency = records.price_books[0].currency if records.price_books else NO_CURRENCY
    return PolicySet(_documents(records, currency), broken=(), complete=True, texts={})


def _documents(records: ProgramRecords, currency: str) -> Iterator[Document]:
    pools = {pool.name: pool for pool in records.pools}
    for kind, field in KIND_FIELDS.items():
        for record in getattr(records, field):
            tree = shaped(kind, msgspec.to_builtins(record))
            if kind == "Reservation" and len(record.portions) > 1:
                serving = [pools[portion.pool] for portion in record.portions]
                tree |= {"model": serving[0].model, "regions": sorted({pool.region for pool in serving})}
                del tree["pool"]
            paid_in = tree.get("currency", currency)
            spec = block(NOTATIONS[kind], tree, paid_in)
            yield Document(kind, Metadata(name=record.name), spec, Positions(NOWHERE, ""))


def shaped(kind: str, tree: Tree) -> Tree:
    """A record's tree with what stands elsewhere in the language put there."""
    match kind:
        case "Pool":
            tree["replicas"] = {"urls": tree["replicas"]}
            if "dns" in tree:
                tree["replicas"]["dns"] = tree.pop("dns")
            _rename(tree["capacity"], input_tokens_per_minute="input", output_tokens_per_minute="output")
        case "Tier":
            for objective in tree.get("objectives") or ():
                objective["target"] = Bound(time=objective["target"])
        case "Reservation":
            portions = tree.pop("portions")
            tree["pool"] = portions[0]["pool"]
            tree["throughput"] = {
                "input": sum(portion["input_tokens_per_minute"] for portion in portions),
                "output": sum(portion["output_tokens_per_minute"] for portion in portions),
            }
            del tree["intervals"]
        case "Quota":
            for limit in tree["limits"]:
                limit["scheduled"] = [
                    {"limit": change["limit"], "window": _window(change["intervals"])}
                    for change in limit.get("scheduled") or ()
                ]
            tree["scope"] = {"tiers": tree.pop("tiers"), "models": tree.pop("models")}
        case "PriceBook":
            for entry in tree["entries"]:
                _rename(entry, start="from")
        case "Route":
            match = tree["match"]
            match["prompt_tokens"] = {
                "min": match.pop("prompt_tokens_min"),
                "max": match.pop("prompt_tokens_max"),
            }
    return tree


def _window(intervals: Sequence[Sequence[int | None]] | None) -> dict[str, int | None]:
    """Of a recurrence only the hours up to the horizon are compiled, which move from build to build: as with
    reservations they are no difference between two programs."""
    if intervals is None or len(intervals) != 1:
        return {}
    ((start, end),) = intervals
    return {"from": start, "until": end}


def block(fields: Fields, tree: Mapping[str, Any], currency: str, of: str = "") -> Block:
    """The block whose fields a tree holds; what it lacks has its default.

    ``of``: what the limit is of in which it stands.
    """
    of = tree.get("of", of)
    values: dict[str, Any] = {}
    for field in fields.fields.values():
        name = name_in(tree, field)
        if name is not None:
            values[field.attribute] = _value(field.notation, tree[name], currency, of)
    return fields.block(**values)


def name_in(tree: Mapping[str, Any], field: Field) -> str | None:
    """Under which name a record holds a field of the language, if it does."""
    return next((name for suffix in SUFFIXES if (name := f"{field.name}{suffix}") in tree), None)


def _value(notation: Notation, held: Any, currency: str, of: str) -> Any:
    if held is None:
        return None
    match notation:
        case Fields():
            return block(notation, held, currency, of)
        case Items():
            return tuple(_value(notation.of, each, currency, of) for each in held)
        case Table():
            return {key: _value(notation.of, each, currency, of) for key, each in held.items()}
        case OverflowNotation():
            return Overflow(held["action"], held["tier"])
        case Price():
            return Money(held, currency)
        case Amount():
            return Money(held, currency) if of == "spend" else held
    return held


def _rename(tree: Tree, **names: str) -> None:
    for old, new in names.items():
        tree[new] = tree.pop(old)
