"""How is a figure written for people? With its unit; an en dash when it is unknown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from coordination.scheduling import figures

register = template.Library()
UNKNOWN = "–"
SHORT = 12
"""Hex digits of a digest that tell it from its neighbours."""


@register.filter
def known(value: Any) -> Any:
    """The value, or a dash for ``None``; zero stays zero."""
    return UNKNOWN if value is None else value


@register.filter
def milliseconds(value: int | None) -> str:
    """``840 ms``, ``1.2 s``; below a second in milliseconds."""
    if value is None:
        return UNKNOWN
    return f"{value} ms" if value < 1000 else f"{value / 1000:.1f} s"


@register.filter
def duration(seconds: int | None) -> str:
    """The two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``4 d 1 h``."""
    if seconds is None:
        return UNKNOWN
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for position, (unit, size) in enumerate(units):
        if seconds >= size or size == 1:
            whole, rest = divmod(seconds, size)
            smaller = units[position + 1 : position + 2]
            lesser = f" {rest // smaller[0][1]} {smaller[0][0]}" if smaller and rest // smaller[0][1] else ""
            return f"{whole} {unit}{lesser}"
    raise ValueError(seconds)


@register.filter
def moment(at: datetime | None) -> SafeString | str:
    """``24 Nov 2026, 09:15:02 UTC``, with the exact instant for machines."""
    if at is None:
        return UNKNOWN
    utc = at.astimezone(UTC)
    return format_html('<time datetime="{}">{}</time>', utc.isoformat(), f"{utc:%-d %b %Y, %H:%M:%S} UTC")


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """``3 min ago``; the exact time in its tooltip."""
    if at is None:
        return UNKNOWN
    seconds = int((timezone.now() - at).total_seconds())
    if abs(seconds) < 2:
        said = "just now"
    elif seconds < 0:
        said = f"in {_coarse(-seconds)}"
    else:
        said = f"{_coarse(seconds)} ago"
    exact = f"{at.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, said)


def _coarse(seconds: int) -> str:
    """The largest unit alone."""
    return " ".join(duration(seconds).split(" ")[:2])


@register.filter
def short(digest: str | None) -> str:
    """The beginning of a digest, enough to recognise it."""
    if not digest:
        return UNKNOWN
    return digest.removeprefix("sha256:")[:SHORT]


@register.filter
def percent(value: float | None) -> str:
    """``10.9 %``; what is not zero never reads as zero."""
    if value is None:
        return UNKNOWN
    if 0 < abs(value) < 0.1:
        return "<0.1 %"
    return f"{value:.1f} %" if value % 1 else f"{value:.0f} %"


@register.filter
def count(value: int | None) -> str:
    """``2,400,000`` as ``2.4M``: at most three figures and a scale."""
    if value is None:
        return UNKNOWN
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3g}{sign}"
    return str(value)


@register.filter
def exact(value: int | None) -> str:
    """``2,400,000``: every figure, for what is billed."""
    return UNKNOWN if value is None else f"{value:,}"


@register.filter
def money(nano: int | None, currency: str = "") -> str:
    """``0.4725 USD``: thousand-millionths, with at least two and no needless decimals."""
    if nano is None:
        return UNKNOWN
    whole, rest = divmod(abs(nano), 10**9)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}{whole:,}.{decimals}{f' {currency}' if currency else ''}"


@register.filter
def micros(value: int | None) -> str:
    """``850 µs``, ``12.4 ms``, ``1.25 s``."""
    if value is None:
        return UNKNOWN
    return figures.duration(value)


@register.filter
def read_json(text: Any) -> Any:
    """What a view put into a message, as it was."""
    try:
        return json.loads(str(text))
    except ValueError:
        return {"says": str(text)}


@register.filter
def item(table: Mapping[str, Any], key: str) -> Any:
    """A mapping's entry, or nothing."""
    return table.get(key)


@register.filter
def words(text: str) -> str:
    """``policies.merged`` and ``max_wait`` as people read them."""
    return str(text).replace("_", " ").replace(".", " · ")
