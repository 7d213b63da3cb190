"""Which kinds of object does the language have? One module each; this is their register."""

from coordination.spec.declaration import Block, Fields
from coordination.spec.kinds.expectation import Expect, Expectation, Given, Load, ReplicaLoad
from coordination.spec.kinds.model import Model
from coordination.spec.kinds.overflow import Overflow
from coordination.spec.kinds.pool import Pool
from coordination.spec.kinds.price_book import PriceBook
from coordination.spec.kinds.quota import Quota
from coordination.spec.kinds.reservation import Reservation
from coordination.spec.kinds.route import Route
from coordination.spec.kinds.tenant import Tenant
from coordination.spec.kinds.tier import Tier

KINDS: dict[str, type[Block]] = {
    "Model": Model,
    "Pool": Pool,
    "Tenant": Tenant,
    "Tier": Tier,
    "Reservation": Reservation,
    "Quota": Quota,
    "PriceBook": PriceBook,
    "Route": Route,
    "Expectation": Expectation,
}

NOTATIONS: dict[str, Fields] = {kind: Fields(block, kind) for kind, block in KINDS.items()}

__all__ = [
    "KINDS",
    "NOTATIONS",
    "Expect",
    "Expectation",
    "Given",
    "Load",
    "Model",
    "Overflow",
    "Pool",
    "PriceBook",
    "Quota",
    "ReplicaLoad",
    "Reservation",
    "Route",
    "Tenant",
    "Tier",
]
