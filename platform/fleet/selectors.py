"""What is known about environments and gateways? Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from fleet.models import Environment, Gateway, Ring


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a gateway is, as every delivery endpoint needs to know."""

    gateway: str
    environment: str
    ring: str


def identities() -> dict[str, Identity]:
    """SHA-256 (hex) of each valid credential -> whose it is."""
    rows = Gateway.objects.filter(retired_at=None).values_list(
        "credential_sha256", "id", "ring__environment_id", "ring__name"
    )
    return {digest: Identity(gateway, environment, ring) for digest, gateway, environment, ring in rows}


def environments() -> QuerySet[Environment]:
    return Environment.objects.all()


def rings(environment: str) -> QuerySet[Ring]:
    """In the order a release reaches them."""
    return Ring.objects.filter(environment=environment).order_by("position")


def active_gateways(environment: str) -> QuerySet[Gateway]:
    return Gateway.objects.filter(ring__environment=environment, retired_at=None).select_related("ring")
