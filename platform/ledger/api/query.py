"""Which usage does a request ask for? Its parameters as values, or a problem that names them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.utils import OpenApiParameter

from fleet import selectors as fleet
from foundation.actors import Actor
from foundation.http import FieldError, Malformed, NotFound
from ledger.permissions import narrowed, visible_tenants
from ledger.selectors import DIMENSIONS, STEPS, Wanted, usage

Params = Mapping[str, str]
"""A query: the first value of each parameter counts."""
DEFAULT_SPAN = timedelta(days=30)
LONGEST_TEXT = 600
MOST_OFFSET = 10_000_000
STEP_NAMES = (*STEPS, "all")
PARAMETERS = [
    OpenApiParameter("environment", str, description="May be left out while there is one."),
    OpenApiParameter("since", str, description="Date or instant; 30 days before `until` by default."),
    OpenApiParameter("until", str, description="Date or instant, exclusive; now by default."),
    OpenApiParameter("tenant", str, description="This tenant and all below it."),
    OpenApiParameter("tier", str),
    OpenApiParameter("model", str),
    OpenApiParameter("step", str, enum=STEP_NAMES, description="`day` by default; days are UTC."),
    OpenApiParameter(
        "by", str, description=f"Any of {', '.join(DIMENSIONS)}, by comma; `tenant,tier,model` by default."
    ),
]


def wanted_by(params: Params, actor: Actor) -> Wanted:
    """Raises ``Malformed`` with every parameter that will not do; ``Forbidden``, ``NotFound``."""
    visible = visible_tenants(actor)
    text = {name: text_of(params, name) for name in ("tenant", "tier", "model", "step", "by")}
    until = _instant(params, "until") or timezone.now().astimezone(UTC) + timedelta(hours=1)
    since = _instant(params, "since") or until - DEFAULT_SPAN
    step = text["step"] or "day"
    if step not in STEP_NAMES:
        raise _malformed("step", f"one of {', '.join(STEP_NAMES)}")
    by = tuple(text["by"].split(",")) if text["by"] else DIMENSIONS[:3]
    if not set(by) <= set(DIMENSIONS) or len(set(by)) != len(by):
        raise _malformed("by", f"any of {', '.join(DIMENSIONS)}, each once")
    return Wanted(
        environment=environment_of(params),
        since=since,
        until=until,
        tenants=narrowed(visible, text["tenant"]),
        tier=text["tier"],
        model=text["model"],
        step=step,  # type: ignore[arg-type] # looked at above
        by=by,
    )


def page_of(wanted: Wanted, cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """Some lines of what is wanted, and the cursor of the next ones (None at the end).

    Totals have no key to seek by; their number is bounded by steps and names, not by requests.
    """
    offset = _offset(cursor)
    found = list(islice(usage(wanted), offset, offset + limit + 1))
    return found[:limit], str(offset + limit) if len(found) > limit else None


def environment_of(params: Params) -> str:
    """The environment named, or the only one."""
    given = text_of(params, "environment")
    names = list(fleet.environments().values_list("name", flat=True))
    if given in names:
        return given
    if given:
        raise NotFound("not_found", f"There is no environment `{given}`.")
    if len(names) != 1:
        raise _malformed("environment", f"there are {len(names)}: name one")
    return names[0]


def text_of(params: Params, name: str) -> str:
    """One parameter, empty when it is not given. Raises ``Malformed``."""
    given = params.get(name) or ""
    if len(given) > LONGEST_TEXT or "\0" in given:
        raise _malformed(name, f"at most {LONGEST_TEXT} printable characters")
    return given


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and int(cursor[:9]) <= MOST_OFFSET):
        error = FieldError("/cursor", "malformed", "take it from `next` of the page before")
        raise Malformed("malformed_query", "That is not a cursor of this list.", errors=[error])
    return int(cursor)


def _instant(params: Params, name: str) -> datetime | None:
    """An instant with its zone, or a date: its midnight in UTC. Cut to the whole hour."""
    given = text_of(params, name)
    if not given:
        return None
    try:
        # A date first: it would also do as an instant, at a midnight of no zone.
        day = parse_date(given) if len(given) == len("2026-11-24") else None
        at = parse_datetime(given) if day is None else None
    except ValueError:
        at = day = None
    if day is not None:
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if at is None or at.tzinfo is None or not 1970 < at.year < 9000:
        raise _malformed(name, "a date such as 2026-11-24, or an instant such as 2026-11-24T13:00:00Z")
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _malformed(name: str, wants: str) -> Malformed:
    error = FieldError(f"/{name}", "malformed", wants)
    return Malformed("malformed_query", f"`{name}` will not do: {wants}.", errors=[error])
