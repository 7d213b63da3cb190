"""By what can the lists be narrowed? Each filter is a parameter of the address, so a view can be sent on."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet

from foundation.audit.models import AuditEntry
from policies.models import Head
from policies.selectors import heads
from telemetry.models import KeptDecision

BLANK = "any"


class HeadFilter(django_filters.FilterSet):  # type: ignore[misc] # untyped
    """Objects of one kind: by part of the name, and by what they belong to where they belong to something."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Search by name")
    tenant = django_filters.ChoiceFilter(label="Tenant", empty_label=BLANK, method="of_tenant")
    tier = django_filters.ChoiceFilter(label="Tier", empty_label=BLANK)
    pool = django_filters.ChoiceFilter(label="Pool", empty_label=BLANK)

    class Meta:
        model = Head
        fields: ClassVar[list[str]] = []

    def __init__(self, data: Any, queryset: QuerySet[Head], *, environment: str, kind: str) -> None:
        super().__init__(data, queryset)
        for name in ("tenant", "tier", "pool"):
            values = _values(environment, kind, name)
            if len(values) < 2 or kind.lower() == name:
                del self.filters[name]
            else:
                self.filters[name].extra["choices"] = [(value, value) for value in values]

    def of_tenant(self, rows: QuerySet[Head], _name: str, value: str) -> QuerySet[Head]:
        """The tenant and everything below it."""
        return rows.filter(tenant=value) | rows.filter(tenant__startswith=f"{value}/")


class AuditFilter(django_filters.FilterSet):  # type: ignore[misc] # untyped
    """What is on record: by who, what and when."""

    who = django_filters.CharFilter(field_name="actor_name", lookup_expr="icontains", label="Who")
    action = django_filters.CharFilter(lookup_expr="icontains", label="Action")
    kind = django_filters.CharFilter(field_name="object_kind", lookup_expr="iexact", label="Kind")
    name = django_filters.CharFilter(field_name="object_name", lookup_expr="icontains", label="Object")
    since = django_filters.DateFilter(
        field_name="at",
        lookup_expr="date__gte",
        label="From (UTC)",
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    until = django_filters.DateFilter(
        field_name="at",
        lookup_expr="date__lte",
        label="To (UTC)",
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    class Meta:
        model = AuditEntry
        fields: ClassVar[list[str]] = []


class DecisionFilter(django_filters.FilterSet):  # type: ignore[misc] # untyped
    """Requests that gateways told of: why, with which code, and whose."""

    reason = django_filters.ChoiceFilter(
        label="Why it is kept",
        empty_label=BLANK,
        choices=[(name, name) for name in ("refused", "failed", "slow", "sampled")],
    )
    code = django_filters.CharFilter(lookup_expr="iexact", label="Code")
    tenant = django_filters.CharFilter(label="Tenant", method="of_tenant")

    class Meta:
        model = KeptDecision
        fields: ClassVar[list[str]] = []

    def of_tenant(self, rows: QuerySet[KeptDecision], _name: str, value: str) -> QuerySet[KeptDecision]:
        """The tenant and everything below it."""
        return rows.filter(tenant=value) | rows.filter(tenant__startswith=f"{value}/")


def _values(environment: str, kind: str, name: str) -> list[str]:
    rows = heads(environment, kind).exclude(**{name: ""}).order_by(name)
    return list(rows.values_list(name, flat=True).distinct()[:200])
