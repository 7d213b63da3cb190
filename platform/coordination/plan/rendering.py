"""How is a difference printed for people? The sentences, the closest look first; then whom it reaches."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.plan.categories import ORDER, Category
from coordination.plan.difference import Difference
from coordination.plan.impact import Guarantee
from coordination.program.records import MILLION
from coordination.spec.quantities import write_count

COLOURS: dict[Category, str] = {
    "breaking": "1;31",
    "unknown": "35",
    "narrowing": "33",
    "moving": "36",
    "widening": "32",
    "no_effect": "2",
}
MOST = 12
"""Names in a list, guarantees in a table."""


def render_text(difference: Difference, *, colour: bool) -> str:
    """The whole difference, for a terminal or a log."""
    return "\n".join(_lines(difference, colour)) + "\n"


def _lines(difference: Difference, colour: bool) -> Iterator[str]:
    if not difference.changes:
        yield "no difference"
        return
    for category in reversed(ORDER):
        of_it = [change for change in difference.changes if change.category == category]
        if not of_it:
            continue
        name = category.replace("_", " ")
        yield f"\x1b[{COLOURS[category]}m{name}\x1b[0m" if colour else name
        yield from (f"  {change.sentence}" for change in of_it)
    reach = difference.reach
    for what, names in (
        ("tenants", reach.tenants),
        ("reservations", reach.reservations),
        ("routes", reach.routes),
    ):
        if names:
            yield f"{what} reached: {_listed(names)}"
    if difference.guarantees is None:
        yield "guarantees: one side has errors, so nothing can be promised"
    elif difference.guarantees:
        yield "guarantees, when everybody asks for everything at once, each in its default tier:"
        for name, (before, after) in list(difference.guarantees.items())[:MOST]:
            yield f"  {name}: {_guarantee(before)} -> {_guarantee(after)}"
        if len(difference.guarantees) > MOST:
            yield f"  and {len(difference.guarantees) - MOST:,} more"


def _guarantee(guarantee: Guarantee | None) -> str:
    if guarantee is None:
        return "not there"
    share = f"{guarantee.share_ppm * 100 / MILLION:.1f} % of what is contended"
    if not guarantee.reserved_input and not guarantee.reserved_output:
        return share
    inputs, outputs = write_count(guarantee.reserved_input), write_count(guarantee.reserved_output)
    return f"{inputs} in, {outputs} out tokens/min reserved, {share}"


def _listed(names: tuple[str, ...]) -> str:
    rest = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + rest
