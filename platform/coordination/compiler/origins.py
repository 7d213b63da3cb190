"""Which written value does each number of the compiled form come from, and where does it stand?

The map itself knows documents and JSON pointers only, so that it is the same wherever the files lie;
whoever holds the policy set can ask it for file, line and column.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import carried
from coordination.diagnostics import Location
from coordination.program.canonical import sha256_digest
from coordination.program.records import ProgramRecords
from coordination.program.source_map import SourceEntry, SourceMap
from coordination.spec import Document
from coordination.spec.document import canonical_of
from coordination.spec.plain import Plain

Steps = tuple[str | int, ...]

RECORDS = {
    "Model": "models",
    "Pool": "pools",
    "Tenant": "tenants",
    "Tier": "tiers",
    "Reservation": "reservations",
    "Quota": "quotas",
    "PriceBook": "price_books",
    "Route": "routes",
}
"""Kind -> where ``ProgramRecords`` keeps its records."""

MOVED: dict[tuple[str, Steps], Steps] = {
    ("Pool", ("capacity", "input_tokens_per_minute")): ("capacity", "input"),
    ("Pool", ("capacity", "output_tokens_per_minute")): ("capacity", "output"),
    ("Reservation", ("intervals", 0, 0)): ("window", "from"),
    ("Reservation", ("intervals", 0, 1)): ("window", "until"),
    ("Reservation", ("intervals",)): ("window", "recurs"),
    ("Route", ("match", "prompt_tokens_min")): ("match", "prompt_tokens", "min"),
    ("Route", ("match", "prompt_tokens_max")): ("match", "prompt_tokens", "max"),
}
"""Numbers that stand elsewhere in the document than in the record; all others only lose a suffix."""

PORTION: dict[Steps, Steps] = {
    ("input_tokens_per_minute",): ("input",),
    ("output_tokens_per_minute",): ("output",),
}
"""What each pool promises of a reservation comes from what is promised altogether."""
WITHOUT_NUMBERS = frozenset({"Tenant"})
"""Kinds whose records hold none."""
SUFFIXES = ("_ppm", "_nano")


def origins(catalogue: Catalogue, records: ProgramRecords) -> SourceMap:
    """Every document of the environment, with what its record's numbers come from.

    Numbers that took a default have no origin, nor has what a build leaves out (a window that is over).
    """
    by_kind = {kind: {r.name: r for r in getattr(records, field)} for kind, field in RECORDS.items()}
    return SourceMap.of(_origin(d, by_kind.get(d.kind, {}).get(d.name)) for d in catalogue.documents)


def place_of(
    catalogue: Catalogue, source_map: SourceMap, kind: str, name: str, pointer: str
) -> Location | None:
    """File, line and column of a number, by the JSON pointer into its record."""
    entry = source_map.find(kind, name)
    named = catalogue.of_kind(kind).get(name)
    fields = entry.fields if entry else {}
    while pointer and pointer not in fields:  # a number of many that come from one place
        pointer = pointer.rpartition("/")[0]
    written = fields.get(pointer)
    return named.locate(written) if named and written else None


def _origin(document: Document, record: Any) -> SourceEntry:
    fields: dict[str, str] = {}
    plain = document.plain()
    if record is not None and document.kind not in WITHOUT_NUMBERS:
        spec = plain["spec"]
        order = _order(document)
        for steps in _sources(document, record):
            trace = _trace(document.kind, steps, order)
            if _exists(spec, trace.written):
                fields[trace.pointer] = trace.written_pointer
    digest = sha256_digest(canonical_of(plain))
    return SourceEntry(kind=document.kind, name=document.name, document=digest, fields=fields)


class _Trace(NamedTuple):
    """From a number of a record to where it is written."""

    pointer: str
    written: Steps
    written_pointer: str


@functools.lru_cache(maxsize=65_536)
def _trace(kind: str, steps: Steps, order: tuple[int, ...]) -> _Trace:
    """The same few places in every document of a kind."""
    written = _written(kind, steps, order)
    return _Trace(_pointer(steps), written, _pointer(("spec", *written)))


def _sources(document: Document, record: Any) -> list[Steps]:
    """Where the numbers of a record are; those that one rule gave rise to together, as one place."""
    found: list[Steps] = []
    if document.kind == "Reservation" and document.spec.window.recurs is not None:
        found.append(("intervals",))
        record = msgspec.structs.replace(record, intervals=())
    if document.kind == "Quota":
        for i, limit in enumerate(document.spec.limits):
            for j, change in enumerate(limit.scheduled):
                place: Steps = ("limits", i, "scheduled", j, "intervals")
                recurs = change.window.recurs is not None
                found += [place] if recurs else [(*place, 0, 0), (*place, 0, 1)]
    _add_numbers(msgspec.to_builtins(record).items(), (), found)
    return found


def _add_numbers(parts: Iterable[tuple[str | int, Any]], steps: Steps, found: list[Steps]) -> None:
    """Where the numbers below a place are, in order; ``parts`` is what stands there."""
    for step, value in parts:
        kind = type(value)
        if kind is int:
            found.append((*steps, step))
        elif step == "intervals" and steps:
            continue  # of a scheduled limit: see ``_sources``
        elif kind is dict:
            _add_numbers(value.items(), (*steps, step), found)
        elif kind is list or kind is tuple:
            _add_numbers(enumerate(value), (*steps, step), found)


def _written(kind: str, steps: Steps, order: tuple[int, ...]) -> Steps:
    """Where in the spec a number of the record is written."""
    moved = MOVED.get((kind, steps))
    if moved is not None:
        return moved
    if kind == "Reservation" and steps[0] == "portions":
        return ("throughput", *PORTION[steps[2:]])
    if kind == "Quota" and "intervals" in steps:
        return (*steps[:4], "window", "recurs" if len(steps) == 5 else ("from", "until")[int(steps[-1])])
    if kind == "PriceBook":
        if steps[0] == "tier_multipliers_ppm":
            return ("tier_multipliers", *steps[1:])
        _, i, name = steps
        return ("entries", order[int(i)], "from" if name == "start" else _bare(name))
    if kind == "Tier" and steps[0] == "objectives":
        steps = ("objectives", order[int(steps[1])], *steps[2:])
    return tuple(_bare(step) for step in steps)


def _bare(step: str | int) -> str | int:
    for suffix in SUFFIXES:
        if isinstance(step, str) and step.endswith(suffix):
            return step.removesuffix(suffix)
    return step


def _order(document: Document) -> tuple[int, ...]:
    """Prices are sorted when lowered, and of objectives some are left out; where each stood before."""
    if document.kind == "Tier":
        return tuple(i for i, one in enumerate(document.spec.objectives) if carried(one))
    if document.kind != "PriceBook":
        return ()
    entries = document.spec.entries
    return tuple(sorted(range(len(entries)), key=lambda i: (entries[i].model, entries[i].from_)))


def _exists(tree: Plain, steps: Steps) -> bool:
    for step in steps:
        if isinstance(tree, dict) and step in tree:
            tree = tree[str(step)]
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            tree = tree[step]
        else:
            return False
    return True


def _pointer(steps: Steps) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
