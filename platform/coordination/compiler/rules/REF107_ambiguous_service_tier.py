"""REF107: one value of ``service_tier`` could mean two tiers, or is a word the protocol keeps."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Tier

RULE = Rule("REF107", "error", "Ambiguous service_tier")
NEEDS_WHOLE = False
KEPT = {"auto": "the tenant's default tier", "scale": "the reservation lane"}


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    first: dict[str, tuple[Entry[Tier], str]] = {}
    for tier in catalogue.tiers.values():
        for value, where in answers_to(tier):
            if value in KEPT:
                yield report(
                    RULE,
                    tier.document,
                    where,
                    f"service_tier `{value}` is kept for {KEPT[value]}; a tier cannot answer to it",
                )
            elif value in first:
                other, place = first[value]
                yield report(
                    RULE,
                    tier.document,
                    where,
                    f"tiers `{other.name}` and `{tier.name}` both answer to service_tier `{value}`",
                    related=(see(other.document, place, f"`{other.name}` answers to it here"),),
                    notes=(f'A request with "service_tier": "{value}" could be either.',),
                )
            else:
                first[value] = (tier, where)


def answers_to(tier: Entry[Tier]) -> Iterator[tuple[str, str]]:
    """Each ``service_tier`` value of a tier, with its place."""
    if not tier.spec.service_tier:
        yield tier.name, "/metadata/name"
    for i, value in enumerate(tier.spec.service_tier):
        yield value, f"/spec/service_tier/{i}"
