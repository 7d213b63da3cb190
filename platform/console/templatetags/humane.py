"""How is a figure written for people? With its unit; an en dash when it is unknown."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()
UNKNOWN = "–"


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
