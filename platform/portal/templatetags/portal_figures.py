"""How are times and exact counts written on a tenant's screens?"""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from coordination.spec.zones import zone_info

register = template.Library()
UNKNOWN = "–"


@register.filter
def millis(value: object) -> str:
    """``840 ms``, ``1.24 s``, ``0.4 ms``; a dash when nothing was measured."""
    if not isinstance(value, (int, float)):
        return UNKNOWN
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


@register.filter
def promised(value: int) -> str:
    """A time that a policy states, in its largest whole unit: ``10 min``, ``2 s``, ``250 ms``."""
    for size, unit in ((3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms")):
        if value and value % size == 0:
            return f"{value // size} {unit}"
    return f"{value} µs"


@register.filter
def at_zone(at: datetime, zone: str) -> SafeString:
    """``1 Dec 2026, 00:00 Europe/Berlin``, with the exact instant for machines."""
    local = at.astimezone(zone_info(zone))
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), f"{local:%-d %b %Y, %H:%M} {zone}")


@register.filter
def exact(value: int | None) -> str:
    """``1,234,567``."""
    return UNKNOWN if value is None else f"{value:,}"


@register.filter
def width(percent: float | None) -> str:
    """A bar's width on a scale of 100, as SVG writes it."""
    return f"{min(100.0, max(0.0, percent or 0.0)):.2f}"
