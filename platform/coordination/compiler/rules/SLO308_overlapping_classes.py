"""SLO308: two objectives of a tier promise the same metric to classes that share requests."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import Promise, promises
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Fix, Rule
from coordination.spec.kinds.objective import TIMES, Length
from coordination.spec.quantities import LARGEST

RULE = Rule("SLO308", "warning", "Overlapping classes")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Each class once, with the one before it that reaches farthest into it."""
    for tier in catalogue.tiers.values():
        for metric in TIMES:
            before: list[tuple[Length, Promise]] = []
            for length, promise in sorted(_classes(promises(tier, metric)), key=_by_length):
                shared = [
                    (other, its)
                    for other, its in before
                    if its.percentile == promise.percentile and other.overlaps(length)
                ]
                before.append((length, promise))
                if shared:
                    yield _report(length, promise, *max(shared, key=lambda each: _top(each[0])))


def _classes(made: Iterator[Promise]) -> Iterator[tuple[Length, Promise]]:
    """Of those that speak of a class some length is in."""
    for promise in made:
        length = promise.objective.uncached_input
        if length is not None and length.min <= _top(length):
            yield length, promise


def _by_length(each: tuple[Length, Promise]) -> tuple[int, int]:
    return each[0].min, _top(each[0])


def _top(length: Length) -> int:
    return LARGEST if length.max is None else length.max


def _report(length: Length, promise: Promise, other: Length, its: Promise) -> Diagnostic:
    where = f"{promise.path}/uncached_input"
    fix = None
    if other.max is not None and other.max < _top(length):
        how = "replace" if length.min else "add"
        edit = {"op": how, "path": f"{where}/min", "value": other.max + 1}
        fix = Fix(f"begin it at {other.max + 1:,}", "unsafe", (edit,))
    return report(
        RULE,
        promise.tier.document,
        where,
        f"`{promise.tier.name}` promises {promise.objective.metric} for {length.says}, and for {other.says}",
        related=(see(its.tier.document, f"{its.path}/uncached_input", "the other class"),),
        notes=(f"A request with {max(1, length.min):,} of them counts in both, and dilutes either.",),
        fix=fix,
    )
