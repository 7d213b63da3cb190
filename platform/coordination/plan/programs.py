"""What differs between two compiled policies, as gateways that run them would notice?

Both are looked at over the time that both look ahead: a later build of the same documents sees further, and
that is no difference. Of what was never compiled a bundle knows the document's digest alone, so that such a
change is named and has no effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.windows import HORIZON
from coordination.plan import difference
from coordination.plan.difference import Action, Change, Difference
from coordination.plan.impact import Key, guarantees
from coordination.plan.in_force import Intervals, cut, gained, hours_of
from coordination.plan.lifting import lift
from coordination.program.index import load
from coordination.program.records import Micros, ProgramRecords, QuotaRecord, ReservationRecord
from coordination.program.source_map import SourceMap
from coordination.spec import Document
from coordination.spec.kinds.reservation import Window
from coordination.spec.quantities import write_instant


@dataclass(frozen=True, slots=True)
class Compiled:
    """What of a bundle can be compared."""

    records: ProgramRecords
    source_map: SourceMap


def diff_programs(before: Compiled, after: Compiled, *, at: Micros | None = None) -> Difference:
    """What ``after`` changes in ``before``, from ``at`` on: by default, from where the later build begins."""
    starts = before.records.at, after.records.at
    since = max(starts) if at is None else at
    until = max(min(starts) + HORIZON, since + 1)
    old, new = _View(before, since, until), _View(after, since, until)
    changes = [
        change
        for key in sorted(old.digests.keys() | new.digests.keys())
        for change in _changes(key, old, new, since)
    ]
    environments = {before.records.environment, after.records.environment}
    return difference.with_impact(
        environments.pop() if len(environments) == 1 else None,
        (old.catalogue, new.catalogue),
        changes,
        lambda: difference.moved_between(
            guarantees(load(old.records), old.records, until),
            guarantees(load(new.records), new.records, until),
        ),
    )


class _View:
    """A compiled policy between two instants."""

    def __init__(self, compiled: Compiled, since: Micros, until: Micros) -> None:
        self.digests: dict[Key, str] = {(e.kind, e.name): e.document for e in compiled.source_map.entries}
        recurring = {e.name for e in compiled.source_map.entries if "/intervals" in e.fields}
        held = (_in_view(r, since, until, r.name in recurring) for r in compiled.records.reservations)
        self.records = msgspec.structs.replace(
            compiled.records,
            at=since,
            reservations=tuple(r for r in held if r.intervals),
            quotas=tuple(
                _limits_in_view(q, compiled.source_map, since, until) for q in compiled.records.quotas
            ),
        )
        self.since = since

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(lift(self.records), None, self.since)

    @cached_property
    def intervals(self) -> dict[str, Intervals]:
        return {r.name: r.intervals for r in self.records.reservations}

    def find(self, key: Key) -> Document | None:
        entry = self.catalogue.of_kind(key[0]).get(key[1])
        return entry.document if entry else None


def _in_view(record: ReservationRecord, since: Micros, until: Micros, recurs: bool) -> ReservationRecord:
    """The horizon ends what recurs, so nothing is made of an end that lies there."""
    return msgspec.structs.replace(record, intervals=cut(record.intervals, since, until, ends=recurs))


def _limits_in_view(record: QuotaRecord, source_map: SourceMap, since: Micros, until: Micros) -> QuotaRecord:
    if not any(limit.scheduled for limit in record.limits):
        return record
    entry = source_map.find("Quota", record.name)
    fields = entry.fields if entry else {}
    limits = [
        msgspec.structs.replace(
            limit,
            scheduled=tuple(
                msgspec.structs.replace(
                    change,
                    intervals=cut(
                        change.intervals,
                        since,
                        until,
                        ends=f"/limits/{i}/scheduled/{j}/intervals" in fields,
                    ),
                )
                for j, change in enumerate(limit.scheduled)
            ),
        )
        for i, limit in enumerate(record.limits)
    ]
    return msgspec.structs.replace(record, limits=tuple(limits))


def _changes(key: Key, old: _View, new: _View, at: Micros) -> Iterator[Change]:
    before, after = old.find(key), new.find(key)
    found: list[Change] = []
    if before is not None or after is not None:
        held = old.intervals.get(key[1], ()), new.intervals.get(key[1], ())
        if key[0] == "Reservation":
            same = before is None or after is None or held[0] == held[1]
            before, after = (
                _beginning(document, intervals, at) if document and same else document
                for document, intervals in zip((before, after), held, strict=True)
            )
            if after is not None and not same:
                found.append(_of_intervals(after, *held))
        found = [*difference.changes_of(before, after, at), *found]
    if not found and old.digests.get(key) != new.digests.get(key):
        found.append(_unseen(key, old.digests.get(key), new.digests.get(key), compiled=after is not None))
    yield from found


def _beginning(document: Document, intervals: Intervals, at: Micros) -> Document:
    """The document with a window that says when it is in force first, where that is still to come."""
    first = intervals[0][0]
    spec = msgspec.structs.replace(document.spec, window=Window(from_=first if first > at else None))
    return Document(document.kind, document.metadata, spec, document.positions)


def _of_intervals(document: Document, before: Intervals, after: Intervals) -> Change:
    more, less = gained(before, after), gained(after, before)
    firsts = [(start, True) for start, _ in more[:1]] + [(start, False) for start, _ in less[:1]]
    first, is_gain = min(firsts)
    turn = "in force then, and was not" if is_gain else "no longer in force then"
    sentence = (
        f"{document.spec.tenant}: times in force of {document.name}: {_said(before)} -> {_said(after)}; "
        f"first from {write_instant(first)}: {turn}"
    )
    return Change(
        kind=document.kind,
        name=document.name,
        action="update",
        category="moving" if more and less else "widening" if more else "narrowing",
        sentence=sentence,
        pointer="/spec/window",
        before=_said(before),
        after=_said(after),
    )


def _said(intervals: Intervals) -> str:
    """How often and how long, in sight."""
    if intervals and intervals[-1][1] is None:
        return f"from {write_instant(intervals[-1][0])} on"
    times = "once" if len(intervals) == 1 else f"{len(intervals):,} times"
    return f"{times}, {hours_of(intervals):,} h"


def _unseen(key: Key, before: str | None, after: str | None, *, compiled: bool) -> Change:
    """A document that is not the same, while everything made of it is."""
    kind, name = key
    action: Action = "create" if before is None else "delete" if after is None else "update"
    what = {"create": "added", "delete": "removed", "update": "changed"}[action]
    where = " in what no gateway reads" if compiled else " out of sight" if kind == "Reservation" else ""
    return Change(
        kind=kind,
        name=name,
        action=action,
        category="no_effect",
        sentence=f"{name}: the {kind.lower()} {what}{where}",
        pointer="",
        before=before,
        after=after,
    )
