"""Who takes part in the demo, and how do a person and a program learn it?"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.up.options import Ports
from headway.up.processes import replace_private

FILE = "demo.json"


@dataclass(frozen=True, slots=True)
class SignIn:
    username: str
    password: str

    def facts(self) -> dict[str, str]:
        return {"username": self.username, "password": self.password}


@dataclass(frozen=True, slots=True)
class DemoTenant:
    name: str
    """The tenant's path in the policy."""
    sign_in: SignIn
    api_key: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody in the demo, with secrets of this start only."""

    operator: SignIn
    approver: SignIn
    tenants: tuple[DemoTenant, ...]


def draw_cast(keys: Mapping[str, str]) -> Cast:
    """Fresh passwords for the operator, the approver and each tenant; ``keys``: tenant -> API key."""
    return Cast(
        operator=_sign_in("operator"),
        approver=_sign_in("approver"),
        tenants=tuple(
            DemoTenant(name, _sign_in(name.replace("/", "-")), key) for name, key in sorted(keys.items())
        ),
    )


def _sign_in(username: str) -> SignIn:
    return SignIn(username, secrets.token_urlsafe(12))


def write_facts(var: Path, ports: Ports, cast: Cast) -> Path:
    """Write ``demo.json``, mode 0600: what a program needs to take part. Readers ignore unknown keys."""
    facts: dict[str, Any] = {
        "console_url": ports.console_url,
        "gateway_url": ports.gateway_url,
        "gateway_admin_url": ports.admin_url,
        "operator": cast.operator.facts(),
        "approver": cast.approver.facts(),
        "tenants": [
            {"name": tenant.name, **tenant.sign_in.facts(), "api_key": tenant.api_key}
            for tenant in cast.tenants
        ],
    }
    path = var / FILE
    replace_private(path, facts)
    return path


def remove_facts(var: Path) -> None:
    """The secrets of a start that is over are on no disk."""
    (var / FILE).unlink(missing_ok=True)
