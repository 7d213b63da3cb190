"""SPEC008: a value (or the length of a list or text) outside what the field allows."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import quoted

RULE = Rule("SPEC008", "error", "Out of range")


def below(written: str, least: str) -> Misread:
    return Misread(RULE, f"{quoted(written)} is too small; the least allowed is {least}")


def above(written: str, most: str) -> Misread:
    return Misread(RULE, f"{quoted(written)} is too large; the most allowed is {most}")


def too_fine(written: str, grain: str) -> Misread:
    return Misread(RULE, f"{quoted(written)} is finer than {grain}, the smallest step of this field")


def too_long(written: str) -> Misread:
    return Misread(RULE, f"{quoted(written)} has more digits than a number here may have")


def too_few(count: int, least: int, what: str) -> Misread:
    return Misread(RULE, f"{count or 'no'} {what}; at least {least} must be given")


def too_many(count: int, most: int, what: str) -> Misread:
    return Misread(RULE, f"{count:,} {what}; at most {most:,} are allowed")


def repeated(written: str) -> Misread:
    remedy = Remedy("remove it", remove=True, safe=True)
    return Misread(RULE, f"{quoted(written)} stands in this list twice", remedy=remedy)
