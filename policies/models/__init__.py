"""The rows of policy: what was written, what is current, what is proposed, what was built."""

from __future__ import annotations

from policies.models.builds import Build, Bundle, BundleFile
from policies.models.changes import ChangeSet, Check, Operation
from policies.models.current import EnvironmentHead, Head, Reference
from policies.models.kinds import (
    ExpectationHead,
    ModelHead,
    PoolHead,
    PriceBookHead,
    QuotaHead,
    ReservationHead,
    RouteHead,
    TenantHead,
    TierHead,
)
from policies.models.written import Document, Revision, Tree

__all__ = [
    "Build",
    "Bundle",
    "BundleFile",
    "ChangeSet",
    "Check",
    "Document",
    "EnvironmentHead",
    "ExpectationHead",
    "Head",
    "ModelHead",
    "Operation",
    "PoolHead",
    "PriceBookHead",
    "QuotaHead",
    "Reference",
    "ReservationHead",
    "Revision",
    "RouteHead",
    "TenantHead",
    "TierHead",
    "Tree",
]
