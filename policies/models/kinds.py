"""The heads of one kind each, for lists and querysets. The document is the truth; these are views."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from django.db import models

from policies.models.current import Head

if TYPE_CHECKING:
    from django.db.models import QuerySet


_H = TypeVar("_H", bound=Head)


class OfKind(models.Manager[_H]):
    """Only the heads of one kind."""

    def __init__(self, kind: str = "") -> None:
        super().__init__()
        self.kind = kind

    def get_queryset(self) -> QuerySet[_H]:
        return super().get_queryset().filter(kind=self.kind)


class ModelHead(Head):
    objects: ClassVar = OfKind("Model")

    class Meta:
        proxy = True
        verbose_name = "model"


class PoolHead(Head):
    objects: ClassVar = OfKind("Pool")

    class Meta:
        proxy = True
        verbose_name = "pool"


class TenantHead(Head):
    objects: ClassVar = OfKind("Tenant")

    class Meta:
        proxy = True
        verbose_name = "tenant"


class TierHead(Head):
    objects: ClassVar = OfKind("Tier")

    class Meta:
        proxy = True
        verbose_name = "tier"


class ReservationHead(Head):
    objects: ClassVar = OfKind("Reservation")

    class Meta:
        proxy = True
        verbose_name = "reservation"


class QuotaHead(Head):
    objects: ClassVar = OfKind("Quota")

    class Meta:
        proxy = True
        verbose_name = "quota"


class PriceBookHead(Head):
    objects: ClassVar = OfKind("PriceBook")

    class Meta:
        proxy = True
        verbose_name = "price book"


class RouteHead(Head):
    objects: ClassVar = OfKind("Route")

    class Meta:
        proxy = True
        verbose_name = "route"
        ordering: ClassVar = ["environment", "rank", "name"]


class ExpectationHead(Head):
    objects: ClassVar = OfKind("Expectation")

    class Meta:
        proxy = True
        verbose_name = "expectation"
