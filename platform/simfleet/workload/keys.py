"""Which tenants may this load generator speak for, with which API keys?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec


class KeysUnreadable(Exception):
    """The keys file cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TenantKey:
    name: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Keys:
    """What a keys file says: the tenants in its order and, if it names one, the gateway."""

    gateway_url: str | None
    tenants: tuple[TenantKey, ...]

    def chosen(self, names: tuple[str, ...]) -> Keys:
        """Only the tenants named, in that order; ``KeysUnreadable`` if one has no key here."""
        known = {tenant.name: tenant for tenant in self.tenants}
        missing = [name for name in names if name not in known]
        if missing:
            raise KeysUnreadable(f"no key for {', '.join(missing)}; there are keys for {', '.join(known)}")
        return Keys(self.gateway_url, tuple(known[name] for name in names))


class _Tenant(msgspec.Struct):
    name: str
    api_key: str


class _File(msgspec.Struct):
    # `var/demo.json` holds more (sign-ins, the console's address): unknown members are ignored.
    tenants: list[_Tenant]
    gateway_url: str | None = None


def read_keys(path: Path) -> Keys:
    """Reads ``{"gateway_url": .., "tenants": [{"name", "api_key"}]}``, as ``headway up`` writes it."""
    try:
        held = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as problem:
        raise KeysUnreadable(f"{path}: {problem.strerror or problem}") from problem
    except msgspec.DecodeError as problem:
        raise KeysUnreadable(f"{path}: {problem}") from problem
    if not held.tenants:
        raise KeysUnreadable(f"{path}: holds no tenant")
    return Keys(held.gateway_url, tuple(TenantKey(tenant.name, tenant.api_key) for tenant in held.tenants))
