"""What happens to a request that the object it falls under has no room for (R12)?"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from coordination.spec.declaration import Mention
from coordination.spec.finding import Misread
from coordination.spec.notation import Choice, Notation, Reference, Schema
from coordination.spec.plain import Path, Plain
from coordination.spec.rules import SPEC006_wrong_type

Action = Literal["refuse", "queue", "spill", "downgrade"]


class Overflow(msgspec.Struct, frozen=True):
    """An action; only ``downgrade`` names the tier to go on in."""

    action: Action
    tier: str | None = None


class OverflowNotation(Notation):
    """``refuse``, ``queue``, ``spill`` or ``{downgrade: <tier>}``."""

    WHAT = "refuse, queue, spill or {downgrade: <tier>}"

    def __init__(self, *plain_actions: Action) -> None:
        self.plain = Choice(*plain_actions)
        self.tier = Reference("Tier")

    def parse(self, value: Plain) -> Overflow:
        if isinstance(value, dict) and list(value) == ["downgrade"]:
            return Overflow("downgrade", self.tier.parse(value["downgrade"]))
        if isinstance(value, str) and value != "downgrade":
            action: Any = self.plain.parse(value)
            return Overflow(action)
        raise _misread(self, value)

    def write(self, value: Overflow) -> Plain:
        return {"downgrade": value.tier} if value.action == "downgrade" else value.action

    def mentions(self, value: Overflow, path: Path) -> Iterator[Mention]:
        if value.tier is not None:
            yield Mention("Tier", value.tier, (path, "downgrade"))

    def schema(self) -> Schema:
        downgrade = {
            "type": "object",
            "properties": {"downgrade": self.tier.schema()},
            "required": ["downgrade"],
            "additionalProperties": False,
        }
        return {"oneOf": [self.plain.schema(), downgrade]}

    def says(self) -> str:
        return f"{self.plain.says()}, or `{{downgrade: <tier>}}`"


def _misread(notation: OverflowNotation, value: Plain) -> Misread:
    words = ", ".join(notation.plain.choices)
    return SPEC006_wrong_type.expected(f"{words} or {{downgrade: <tier>}}", value)
