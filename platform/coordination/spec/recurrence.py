"""How is it said on which days, and between which hours, something holds?

Days by a recurrence rule of RFC 5545 without its clock: ``FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR``. Hours by
``09:00-18:00`` in a zone; ``22:00-06:00`` ends on the next day.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from coordination.spec.finding import Misread
from coordination.spec.notation import Notation, Schema
from coordination.spec.plain import Plain
from coordination.spec.rules import SPEC006_wrong_type, SPEC014_unknown_choice

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PARTS = {
    "FREQ": "|".join(FREQUENCIES),
    "INTERVAL": r"[1-9][0-9]{0,2}",
    "BYMONTH": r"(?:[1-9]|1[0-2])(?:,(?:[1-9]|1[0-2])){0,11}",
    "BYMONTHDAY": r"-?(?:[1-9]|[12][0-9]|3[01])(?:,-?(?:[1-9]|[12][0-9]|3[01])){0,61}",
    "BYDAY": rf"(?:-?[1-5])?(?:{'|'.join(DAYS)})(?:,(?:-?[1-5])?(?:{'|'.join(DAYS)})){{0,76}}",
    "BYSETPOS": r"-?[1-9][0-9]?(?:,-?[1-9][0-9]?){0,9}",
    "WKST": "|".join(DAYS),
}
"""What a rule may say, in the order it is written in. Its beginning and end are the window's."""
LONGEST = 300
EXAMPLE = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\s*-\s*(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
DAY = 24 * 60


class Hours(NamedTuple):
    """A stretch of each day, in minutes after midnight; an end past 1,440 lies on the next day."""

    start: int
    end: int


WHOLE_DAY = Hours(0, DAY)


class Recurrence(Notation):
    """A recurrence rule; inside, its parts in one order, in capitals."""

    def parse(self, value: Plain) -> str:
        if not isinstance(value, str) or len(value) > LONGEST:
            raise SPEC006_wrong_type.expected(f"a recurrence rule such as `{EXAMPLE}`", value)
        parts: dict[str, str] = {}
        for part in re.sub(r"\s", "", value).upper().split(";"):
            key, equals, said = part.partition("=")
            if not equals:
                raise SPEC006_wrong_type.expected(f"a recurrence rule such as `{EXAMPLE}`", value)
            if key not in PARTS:
                raise _unknown_part(key)
            if key in parts or not re.fullmatch(PARTS[key], said):
                raise SPEC006_wrong_type.expected(f"{key} once, with values of RFC 5545", part)
            parts[key] = said
        if "FREQ" not in parts:
            raise SPEC006_wrong_type.expected(f"FREQ, one of {', '.join(FREQUENCIES)}", value)
        if parts["FREQ"] in ("DAILY", "WEEKLY") and re.search(r"[0-9]", parts.get("BYDAY", "")):
            raise SPEC006_wrong_type.expected(
                "days such as `MO` (`1MO` counts within a month or year)", value
            )
        return ";".join(f"{key}={parts[key]}" for key in PARTS if key in parts)

    def schema(self) -> Schema:
        return {"type": "string", "maxLength": LONGEST, "x-format": "rrule"}

    def says(self) -> str:
        return f"days by RFC 5545, such as `{EXAMPLE}`"


def needs_start(rule: str) -> bool:
    """Whether a rule's days depend on the day it begins: then there must be one."""
    parts = dict(part.split("=") for part in rule.split(";"))
    if parts.get("INTERVAL", "1") != "1":
        return True
    if parts["FREQ"] == "DAILY":
        return False
    if parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts:
        return "BYDAY" not in parts
    return "BYDAY" not in parts and "BYMONTHDAY" not in parts


def _unknown_part(key: str) -> Misread:
    misread = SPEC014_unknown_choice.unknown(key, list(PARTS))
    if key in ("UNTIL", "COUNT", "DTSTART"):
        misread.notes = ("A window begins with `from` and ends with `until`.",)
    elif key.startswith("BY"):
        misread.notes = ("Hours are said by `at`: `09:00-18:00`.",)
    return misread


class HoursNotation(Notation):
    """``09:00-18:00``."""

    WHAT = "hours such as `09:00-18:00`"

    def parse(self, value: Plain) -> Hours:
        found = HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise SPEC006_wrong_type.expected(self.WHAT, value)
        start = int(found[1]) * 60 + int(found[2])
        end = int(found[3]) * 60 + int(found[4]) if found[3] else DAY
        return Hours(start, end if end > start else end + DAY)

    def write(self, value: Hours) -> Plain:
        end = value.end if value.end == DAY else value.end % DAY
        return f"{_clock(value.start)}-{_clock(end)}"

    def schema(self) -> Schema:
        return {"type": "string", "pattern": rf"^\s*(?:{HOURS.pattern})\s*$"}

    def says(self) -> str:
        return f"{self.WHAT}; `22:00-06:00` ends on the next day"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
