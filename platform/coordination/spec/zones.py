"""Which time zones are there? Those of the pinned tzdata package, not of the machine (R2)."""

from __future__ import annotations

import functools
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata

from coordination.diagnostics import Nearest
from coordination.spec.notation import Notation, Schema
from coordination.spec.plain import Plain
from coordination.spec.rules import SPEC006_wrong_type, SPEC014_unknown_choice


@functools.cache
def known_zones() -> frozenset[str]:
    listing = Path(tzdata.__file__).with_name("zones").read_text(encoding="ascii")
    return frozenset(listing.split())


@functools.cache
def zone_info(name: str) -> ZoneInfo:
    """A zone's rules as the pinned package has them, whatever the machine believes. ``KeyError`` if none."""
    if name not in known_zones():
        raise KeyError(name)
    with Path(tzdata.__file__).with_name("zoneinfo").joinpath(name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


class Zone(Notation):
    """An IANA time zone: ``Europe/Berlin``."""

    def parse(self, value: Plain) -> str:
        if not isinstance(value, str):
            raise SPEC006_wrong_type.expected("a time zone such as `Europe/Berlin`", value)
        if value != "UTC" and value not in known_zones():
            raise SPEC014_unknown_choice.unknown_among_many(
                value, "a time zone", Nearest(known_zones()).to(value)
            )
        return value

    def schema(self) -> Schema:
        return {"type": "string", "x-format": "iana-time-zone"}

    def says(self) -> str:
        return "a time zone such as `Europe/Berlin`"
