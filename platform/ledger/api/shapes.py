"""What does a line of usage look like to a program? The same names in JSON, CSV and JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework import serializers

from ledger.models import SUMS, UsageEvent


class _Totals(serializers.Serializer[Any]):
    currency = serializers.CharField(help_text="Empty: no price book names the model.")
    events = serializers.IntegerField(help_text="Attempts that ended.")
    completed = serializers.IntegerField()
    interrupted = serializers.IntegerField(help_text="Open when a gateway was killed: a lower bound.")
    uncached_input = serializers.IntegerField()
    cached_input = serializers.IntegerField()
    cache_write = serializers.IntegerField()
    output = serializers.IntegerField()
    reasoning = serializers.IntegerField()
    cost_nano = serializers.IntegerField(help_text="Thousand-millionths of the currency.")
    saved_nano = serializers.IntegerField(help_text="What cached tokens would have cost more, uncached.")
    spend_nano = serializers.IntegerField(help_text="What gateways charged against spend limits.")


class UsageRow(_Totals):
    start = serializers.DateTimeField(allow_null=True, help_text="Begin of the step, UTC.")
    tenant = serializers.CharField(required=False)
    tier = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    key_id = serializers.CharField(required=False)
    reservation = serializers.CharField(required=False)


class Usage(serializers.Serializer[Any]):
    environment = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="Exclusive.")
    items = UsageRow(many=True)
    next = serializers.CharField(allow_null=True)


class StatementRow(_Totals):
    month = serializers.DateField()
    tenant = serializers.CharField()
    open = serializers.BooleanField(help_text="Whether its totals may still grow.")
    late = serializers.IntegerField(help_text="Events used in an earlier month than charged in.")


class Statements(serializers.Serializer[Any]):
    items = StatementRow(many=True)


class EventRow(serializers.ModelSerializer[UsageEvent]):
    class Meta:
        model = UsageEvent
        exclude = ("id", "digest", "chain", "chain_seq", "environment", "gateway", "pool", "replica")


class Events(serializers.Serializer[Any]):
    items = EventRow(many=True)
    next = serializers.CharField(allow_null=True)


def usage_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """One line of usage, JSON-ready: the only way a line leaves, whatever the format."""
    start = row["start"]
    shown = {name: value for name, value in row.items() if name != "start"}
    return {"start": start and start.strftime("%Y-%m-%dT%H:%M:%SZ"), **shown}


def columns(by: tuple[str, ...]) -> Iterator[str]:
    """Names of a line's fields, in their order."""
    yield from ("start", *by, "currency", *SUMS)
