"""Under what address and in what words is each kind shown? A new kind is here without being named."""

from __future__ import annotations

import re
from dataclasses import dataclass

from coordination.spec import KINDS

ORDER = ("Tier", "Reservation", "Quota", "Route", "Pool", "Model", "Tenant", "PriceBook")
"""As an operator thinks of them; kinds that are not here follow."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object as people meet it."""

    name: str
    """As documents spell it: ``PriceBook``."""
    slug: str
    """In addresses: ``price-books``."""
    one: str
    many: str
    about: str
    """One sentence."""

    @property
    def title(self) -> str:
        return self.many[0].upper() + self.many[1:]


def _kind(name: str) -> Kind:
    one = _HUMP.sub(" ", name).lower()
    about = (KINDS[name].__doc__ or "").strip().splitlines()[0]
    return Kind(name, one.replace(" ", "-") + "s", one, one + "s", about)


def _position(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


ALL: tuple[Kind, ...] = tuple(_kind(name) for name in sorted(KINDS, key=_position))
BY_SLUG = {kind.slug: kind for kind in ALL}
BY_NAME = {kind.name: kind for kind in ALL}
