"""How full are a tenant's limits at this moment? Asked of the gateway each time, never remembered."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import httpx
import msgspec
from django.conf import settings

from fleet.selectors import active_gateways

PATIENCE = 1.0
"""Seconds the gateway gets to answer before the page says that it does not."""
NO_ANSWER = "the gateway does not answer right now"
UNREADABLE = "the gateway answers, but does not say how full limits are"
NONE_ENROLLED = "no gateway serves this environment yet"
SEVERAL = "several gateways share these limits, and each knows its own part only"


class LimitLevel(msgspec.Struct, frozen=True):
    quota: str
    tenant: str
    of: str
    per: str
    limit: int
    used: int
    reset_us: int


class Places(msgspec.Struct, frozen=True):
    quota: str
    tenant: str
    used: int
    limit: int


class LaneLevel(msgspec.Struct, frozen=True):
    reservation: str
    tenant: str
    in_force: bool
    input_ppm: int
    output_ppm: int


class Levels(msgspec.Struct, frozen=True):
    limits: list[LimitLevel]
    concurrency: list[Places]
    reservations: list[LaneLevel]


@dataclass(frozen=True, slots=True)
class Read:
    """``levels`` is None where they are unknown; ``why`` says why, in words for a tenant."""

    levels: Levels | None
    why: str = ""


def read(environment: str, tenant: str) -> Read:
    """What the environment's gateway enforces at this moment for ``tenant`` and all below it."""
    gateways = active_gateways(environment).count()
    if gateways != 1:
        return Read(None, SEVERAL if gateways else NONE_ENROLLED)
    address = f"{settings.HEADWAY_GATEWAY_ADMIN_URL}/levels/{quote(tenant)}"
    try:
        answer = httpx.get(address, timeout=PATIENCE, trust_env=False)
        answer.raise_for_status()
        return Read(msgspec.json.decode(answer.content, type=Levels))
    except httpx.HTTPStatusError:
        return Read(None, UNREADABLE)
    except httpx.HTTPError:
        return Read(None, NO_ANSWER)
    except msgspec.DecodeError:
        return Read(None, UNREADABLE)
