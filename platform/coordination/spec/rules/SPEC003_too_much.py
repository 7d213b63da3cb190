"""SPEC003: more than a reader should take in: a huge file or document, or nesting without end."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread

RULE = Rule("SPEC003", "error", "Too large or too deep")
MIB = 1024 * 1024


def file_size(size: int, most: int) -> Misread:
    """Sizes in bytes; ``size`` may be what was read before giving up."""
    return Misread(
        RULE,
        f"the file holds at least {size / MIB:,.1f} MiB; at most {most / MIB:g} MiB are read",
        notes=("Split it: a folder of files is one policy set.",),
    )


def document_size(size: int, most: int) -> Misread:
    return Misread(RULE, f"the document holds {size:,} characters; at most {most:,} are read in one document")


def depth(most: int) -> Misread:
    return Misread(RULE, f"nested more than {most} levels deep")


def routes(count: int, most: int) -> Misread:
    return Misread(
        RULE,
        f"{count:,} routes; at most {most:,} are compared with each other, so none was",
        notes=("One route can name many models, tiers, tenants and labels.",),
    )


def documents(most: int) -> Misread:
    return Misread(RULE, f"the file holds more than {most:,} documents; the rest are not read")


def problems(most: int) -> Misread:
    return Misread(RULE, f"the file has more than {most:,} problems; what follows is not read")


def findings(most: int) -> Misread:
    return Misread(RULE, f"the document has more than {most} problems; the rest are not listed", on="value")
