"""SPEC017: several fields of which just one must be given, and none or more than one are."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread

RULE = Rule("SPEC017", "error", "One of several fields")


def exactly_one(owner: str, fields: tuple[str, ...], given: list[str]) -> Misread:
    listing = ", ".join(f"`{name}`" for name in fields)
    if not given:
        return Misread(RULE, f"{owner} has none of {listing}; one must be given", on="key")
    both = " and ".join(f"`{name}`" for name in given)
    return Misread(RULE, f"{owner} has {both}; only one of {listing} can be given", on="key")
