"""REF103: tiers downgrade to each other in a circle, so a request could be sent round for ever."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("REF103", "error", "Tiers downgrade in a circle")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Follows each tier's downgrade once; every circle is reported once, at its first name."""
    seen: set[str] = set()
    for start in catalogue.tiers:
        trail: list[str] = []
        name: str | None = start
        while name is not None and name in catalogue.tiers and name not in seen:
            seen.add(name)
            trail.append(name)
            name = catalogue.tiers[name].spec.overflow.tier
        if name in trail:
            circle = trail[trail.index(name) :]
            first = circle.index(min(circle))
            circle = circle[first:] + circle[:first]
            documents = [catalogue.tiers[each].document for each in circle]
            yield report(
                RULE,
                documents[0],
                "/spec/overflow/downgrade",
                "downgrade leads back to where it began: " + " > ".join([*circle, circle[0]]),
                related=tuple(
                    see(d, "/spec/overflow/downgrade", f"`{d.name}` downgrades here") for d in documents[1:]
                ),
            )
