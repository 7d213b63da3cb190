"""Which usage does a request ask for? Its parameters as values, or a problem that names them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from fleet import selectors as fleet
from foundation.actors import Actor
from foundation.http import FieldError, Malformed, NotFound
from ledger.permissions import narrowed, visible_tenants
from ledger.selectors import DIMENSIONS, STEPS, Wanted

DEFAULT_SPAN = timedelta(days=30)
LONGEST_TEXT = 600
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


def wanted_by(request: Request, actor: Actor) -> Wanted:
    """Raises ``Malformed`` with every parameter that will not do; ``Forbidden``, ``NotFound``."""
    visible = visible_tenants(actor)
    text = {name: _text(request, name) for name in ("tenant", "tier", "model", "step", "by")}
    until = _instant(request, "until") or timezone.now().astimezone(UTC) + timedelta(hours=1)
    since = _instant(request, "since") or until - DEFAULT_SPAN
    step = text["step"] or "day"
    if step not in STEP_NAMES:
        raise _malformed("step", f"one of {', '.join(STEP_NAMES)}")
    by = tuple(text["by"].split(",")) if text["by"] else DIMENSIONS[:3]
    if not set(by) <= set(DIMENSIONS) or len(set(by)) != len(by):
        raise _malformed("by", f"any of {', '.join(DIMENSIONS)}, each once")
    return Wanted(
        environment=environment_of(request),
        since=since,
        until=until,
        tenants=narrowed(visible, text["tenant"]),
        tier=text["tier"],
        model=text["model"],
        step=step,  # type: ignore[arg-type] # looked at above
        by=by,
    )


def environment_of(request: Request) -> str:
    """The environment named, or the only one."""
    given = _text(request, "environment")
    names = list(fleet.environments().values_list("name", flat=True))
    if given in names:
        return given
    if given:
        raise NotFound("not_found", f"There is no environment `{given}`.")
    if len(names) != 1:
        raise _malformed("environment", f"there are {len(names)}: name one")
    return names[0]


def _text(request: Request, name: str) -> str:
    given = request.query_params.get(name, "")
    if len(given) > LONGEST_TEXT or "\0" in given:
        raise _malformed(name, f"at most {LONGEST_TEXT} printable characters")
    return given


def _instant(request: Request, name: str) -> datetime | None:
    """An instant with its zone, or a date: its midnight in UTC. Cut to the whole hour."""
    given = _text(request, name)
    if not given:
        return None
    try:
        at = parse_datetime(given)
        day = parse_date(given) if at is None else None
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
