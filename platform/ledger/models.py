"""Usage events, the totals kept beside them, and what could not be taken as it was sent.

An event is written once and never changed (``foundation.immutability``). Instants of events are
microseconds since 1970, as gateways send them, so that a row's digest can be made again from the row.
Those are on the gateway's clock; ``occurred_us`` is the end of the attempt on ours.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

TENANT_LENGTH = 512
NAME_LENGTH = 253
KEY = ("environment", "hour", "statement", "tenant", "tier", "model", "key_id", "reservation", "currency")
"""What a total is of."""
SUMS = (
    "events",
    "completed",
    "interrupted",
    "uncached_input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
    "cost_nano",
    "saved_nano",
    "spend_nano",
)
"""What is added up."""


class UsageEvent(models.Model):
    """One attempt at one request that came to an end: who, where, how many tokens, at what price.

    The five token counts are disjoint: their sum is everything that was worked on.
    """

    environment = models.CharField(max_length=63)
    gateway = models.CharField(max_length=29)
    request_id = models.CharField(max_length=64)
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, help_text="settled, interrupted or failed.")
    tenant = models.CharField(max_length=TENANT_LENGTH)
    key_id = models.CharField(max_length=32, blank=True)
    model = models.CharField(max_length=NAME_LENGTH)
    tier = models.CharField(max_length=63)
    pool = models.CharField(max_length=63, blank=True)
    replica = models.CharField(max_length=300, blank=True)
    reservation = models.CharField(max_length=NAME_LENGTH, blank=True)
    bundle = models.CharField(max_length=71, blank=True)
    outcome = models.CharField(max_length=16)
    counted_by = models.CharField(max_length=16, help_text="engine: its own report; gateway: our count.")
    uncached_input = models.BigIntegerField()
    cached_input = models.BigIntegerField()
    cache_write = models.BigIntegerField()
    output = models.BigIntegerField()
    reasoning = models.BigIntegerField()
    started_us = models.BigIntegerField()
    ended_us = models.BigIntegerField()
    spend_nano = models.BigIntegerField(
        null=True, help_text="What the gateway charged against spend limits; empty: it had no price."
    )
    digest = models.CharField(max_length=71, help_text="Of everything above.")

    received_us = models.BigIntegerField()
    occurred_us = models.BigIntegerField(help_text="When it ended, by our clock.")
    cost_nano = models.BigIntegerField(help_text="What the price books in force say.")
    saved_nano = models.BigIntegerField(help_text="What cached tokens would have cost more, uncached.")
    currency = models.CharField(max_length=3, blank=True, help_text="Empty: no price book names the model.")
    statement = models.DateField(help_text="First day of the month it is charged in.")
    chain_seq = models.PositiveBigIntegerField(help_text="1, 2, 3 ... within the tenant's day.")
    chain = models.CharField(max_length=71, help_text="Digest over the link before it and this event.")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["gateway", "request_id", "attempt", "kind"], name="usage_event_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["environment", "tenant", "occurred_us"], name="usage_by_tenant"),
            models.Index(fields=["environment", "occurred_us"], name="usage_by_time"),
            models.Index(fields=["request_id"], name="usage_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} attempt {self.attempt} of {self.request_id}"


class QuarantinedEvent(models.Model):
    """An event that was not taken, exactly as it came, for a person to look at. Nothing is overwritten."""

    class Reason(models.TextChoices):
        CONFLICT = "conflict", "Same key, other content"
        TOO_OLD = "too_old", "More than 35 days old"
        AHEAD = "ahead", "More than 5 minutes in the future"

    environment = models.CharField(max_length=63)
    gateway = models.CharField(max_length=29)
    request_id = models.CharField(max_length=64)
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=16)
    tenant = models.CharField(max_length=TENANT_LENGTH)
    reason = models.CharField(max_length=16, choices=Reason.choices)
    digest = models.CharField(max_length=71)
    body = models.JSONField(help_text="The event as it was sent.")
    received_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["gateway", "request_id", "attempt", "kind", "digest"], name="quarantined_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.kind} attempt {self.attempt} of {self.request_id}"


class UsageHour(models.Model):
    """Totals of one hour, moved with each event in its own transaction; ``rollups.rebuild`` makes them anew.

    ``hour`` is when the usage was; ``statement`` the month it is charged in, which is a later one for
    what arrives after its own month was closed.
    """

    environment = models.CharField(max_length=63)
    hour = models.DateTimeField()
    statement = models.DateField()
    tenant = models.CharField(max_length=TENANT_LENGTH)
    tier = models.CharField(max_length=63)
    model = models.CharField(max_length=NAME_LENGTH)
    key_id = models.CharField(max_length=32, blank=True)
    reservation = models.CharField(max_length=NAME_LENGTH, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    events = models.BigIntegerField(default=0)
    completed = models.BigIntegerField(default=0)
    interrupted = models.BigIntegerField(default=0)
    uncached_input = models.BigIntegerField(default=0)
    cached_input = models.BigIntegerField(default=0)
    cache_write = models.BigIntegerField(default=0)
    output = models.BigIntegerField(default=0)
    reasoning = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    saved_nano = models.BigIntegerField(default=0)
    spend_nano = models.BigIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["environment", "hour", "tenant", "tier", "model"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=KEY,
                name="usage_hour_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["environment", "tenant", "hour"], name="usage_hour_by_tenant"),
            models.Index(fields=["environment", "statement"], name="usage_hour_by_statement"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} {self.tier} {self.model} at {self.hour:%Y-%m-%d %H}h"


class TenantDay(models.Model):
    """The end of the hash chain over one tenant's events of one day; also the lock appends take."""

    environment = models.CharField(max_length=63)
    tenant = models.CharField(max_length=TENANT_LENGTH)
    day = models.DateField()
    events = models.PositiveBigIntegerField(default=0)
    head = models.CharField(max_length=71, blank=True)

    class Meta:
        ordering: ClassVar = ["environment", "tenant", "day"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "tenant", "day"], name="tenant_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.tenant} on {self.day}: {self.events} events"
