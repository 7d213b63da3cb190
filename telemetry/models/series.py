"""Batches as they came, for an hour; and what they add up to, a row a minute and key, for a month."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

COUNTS = (
    "requests",
    "completed",
    "aborted",
    "failed",
    "reserved",
    "spilled",
    "promised",
    "honoured",
    "uncached_input",
    "cached_input",
    "output",
    "streamed",
)
SKETCHES = ("ttft", "itl", "e2e", "queue")
KEY = ("environment", "minute", "tenant", "tier", "model", "pool")


class GatewayBatch(models.Model):
    """One second of one gateway. The unique key is what makes a repeat harmless, for good.

    Kept for as long as a gateway may back-fill and twice that, so that a minute which late batches touch is
    made anew of all of them, and so that a console that starts again knows the last quarter hour.
    """

    environment = models.CharField(max_length=63)
    gateway = models.CharField(max_length=29)
    boot = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    second = models.BigIntegerField(help_text="Of our clock, since 1970: where its interval was.")
    body = models.BinaryField(help_text="The batch, zlib over JSON.")

    class Meta:
        ordering: ClassVar = ["second", "gateway", "seq"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "boot", "seq"], name="gateway_batch_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["environment", "second"], name="gateway_batch_by_second"),
            models.Index(fields=["second"], name="gateway_batch_age"),
        ]
        verbose_name_plural = "gateway batches"

    def __str__(self) -> str:
        return f"{self.gateway} {self.boot}/{self.seq}"


class DirtyMinute(models.Model):
    """A minute whose batches are not all in its rows yet. Made with each batch, gone with the roll-up."""

    environment = models.CharField(max_length=63)
    minute = models.BigIntegerField(help_text="Minutes since 1970.")
    touched = models.BigIntegerField(help_text="Second of our clock of its newest batch's arrival.")

    class Meta:
        ordering: ClassVar = ["environment", "minute"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "minute"], name="dirty_minute_once")
        ]

    def __str__(self) -> str:
        return f"{self.environment} {self.minute}"


class SeriesMinute(models.Model):
    """What one (tenant, tier, model, pool) saw in one minute, over every gateway and replica."""

    environment = models.CharField(max_length=63)
    minute = models.BigIntegerField(help_text="Minutes since 1970.")
    tenant = models.CharField(max_length=300, blank=True)
    tier = models.CharField(max_length=300, blank=True)
    model = models.CharField(max_length=300, blank=True)
    pool = models.CharField(max_length=300, blank=True)
    requests = models.BigIntegerField(default=0)
    completed = models.BigIntegerField(default=0)
    aborted = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    spilled = models.BigIntegerField(default=0)
    promised = models.BigIntegerField(default=0)
    honoured = models.BigIntegerField(default=0)
    uncached_input = models.BigIntegerField(default=0)
    cached_input = models.BigIntegerField(default=0)
    output = models.BigIntegerField(default=0)
    streamed = models.BigIntegerField(default=0)
    refused = models.JSONField(default=dict, help_text="By code.")
    objectives = models.JSONField(default=dict, help_text="By objective: how often kept, of how often given.")
    ttft = models.BinaryField(default=bytes, help_text="Sketches of microseconds.")
    itl = models.BinaryField(default=bytes)
    e2e = models.BinaryField(default=bytes)
    queue = models.BinaryField(default=bytes)

    class Meta:
        ordering: ClassVar = ["environment", "minute", "tenant", "tier", "model", "pool"]
        constraints: ClassVar = [models.UniqueConstraint(fields=KEY, name="series_minute_once")]
        indexes: ClassVar = [
            models.Index(fields=["environment", "tenant", "minute"], name="series_minute_by_tenant"),
            models.Index(fields=["minute"], name="series_minute_age"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} {self.tier} {self.model} {self.pool} at minute {self.minute}"


class QueueMinute(models.Model):
    """How many waited in one band of one pool over one minute, over every gateway."""

    environment = models.CharField(max_length=63)
    minute = models.BigIntegerField(help_text="Minutes since 1970.")
    pool = models.CharField(max_length=300)
    band = models.BigIntegerField()
    most = models.BigIntegerField(help_text="The deepest second.")
    total = models.BigIntegerField(help_text="Sum of the depths of its seconds.")
    seconds = models.PositiveIntegerField(help_text="Seconds that were told of.")
    oldest_us = models.BigIntegerField(help_text="The longest that anybody had waited.")

    class Meta:
        ordering: ClassVar = ["environment", "minute", "pool", "band"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["environment", "minute", "pool", "band"], name="queue_minute_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pool} band {self.band} at minute {self.minute}"
