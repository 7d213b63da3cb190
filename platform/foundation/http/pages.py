"""How is a long list read page by page, at the same price for every page?

Keyset pages: the cursor holds the order's values of the last row seen, so the database seeks instead of
counting, and rows that come or go between two pages are neither shown twice nor skipped.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from foundation.http.refusals import FieldError, Malformed

_M = TypeVar("_M", bound=Model)

DEFAULT_LIMIT = 100
MOST = 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[_M]):
    """Some rows, and the cursor of the next ones (None at the end)."""

    items: Sequence[_M]
    next: str | None


def page(
    rows: QuerySet[_M], *, order: Sequence[str], cursor: str | None = None, limit: int = DEFAULT_LIMIT
) -> Page[_M]:
    """The rows after ``cursor``. ``order`` names non-null fields, ``-`` for descending, unique together."""
    limit = max(1, min(limit, MOST))
    try:
        if cursor:
            rows = rows.filter(_after(order, _decode(cursor, len(order))))
        found = list(rows.order_by(*order)[: limit + 1])
    except (ValidationError, ValueError, TypeError) as error:
        raise _not_a_cursor() from error
    items = found[:limit]
    more = len(found) > limit
    return Page(items, _encode([getattr(items[-1], name.lstrip("-")) for name in order]) if more else None)


def limit_of(given: str | None) -> int:
    """``?limit=`` as a number within bounds; ``Malformed`` for anything else."""
    if given is None:
        return DEFAULT_LIMIT
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= MOST):
        error = FieldError("/limit", "out_of_range", f"a whole number from 1 to {MOST}")
        raise Malformed("malformed_query", f"limit={given[:20]!r} is not a page's size.", errors=[error])
    return int(given)


def _after(order: Sequence[str], values: Sequence[Any]) -> Q:
    """(a, b) > (x, y), written out: a > x, or a = x and b > y. Descending fields turn round."""
    found = Q()
    equal: dict[str, Any] = {}
    for name, value in zip(order, values, strict=True):
        field = name.lstrip("-")
        found |= Q(**equal, **{f"{field}__{'lt' if name.startswith('-') else 'gt'}": value})
        equal[field] = value
    return found


def _encode(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()


def _decode(cursor: str, length: int) -> list[Any]:
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise _not_a_cursor() from error
    if not isinstance(values, list) or len(values) != length:
        raise _not_a_cursor()
    if not all(isinstance(value, (str, int)) for value in values):
        raise _not_a_cursor()
    return values


def _not_a_cursor() -> Malformed:
    error = FieldError("/cursor", "malformed", "take it from `next` of the page before")
    return Malformed("malformed_query", "That is not a cursor of this list.", errors=[error])
