"""The rows of simulation: traffic, the question, its answer, and the runs that find it.

A simulation is what somebody asked for; it consists of runs, one for each policy, seed and value of a
sweep. A run is the unit of work: whoever holds its lease simulates it, and only the newest fence may write
what came of it, so a run is done once however many workers die.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from policies.models import ChangeSet
from policies.models.written import DIGEST_LENGTH, ENVIRONMENT_LENGTH

LABEL_LENGTH = 200


class Trace(models.Model):
    """Traffic to simulate under. The file is ``<digest>.<suffix>`` in the folder of traces, whoever sent it
    under which name."""

    class Source(models.TextChoices):
        UPLOADED = "uploaded", "Uploaded"
        EXAMPLE = "example", "Example"

    class Format(models.TextChoices):
        MOONCAKE = "mooncake", "Mooncake JSON lines"
        AZURE = "azure", "Azure CSV"
        RECORDING = "recording", "A gateway's recording"
        WORKLOAD = "workload", "Traffic to be drawn"

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    name = models.CharField(max_length=LABEL_LENGTH)
    source = models.CharField(max_length=8, choices=Source.choices)
    format = models.CharField(max_length=9, choices=Format.choices)
    digest = models.CharField(max_length=DIGEST_LENGTH)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    requests = models.PositiveBigIntegerField()
    span_us = models.PositiveBigIntegerField(help_text="First arrival to last; 0 for traffic to be drawn.")
    input_tokens = models.PositiveBigIntegerField()
    output_tokens = models.PositiveBigIntegerField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["environment", "digest"],
                condition=models.Q(removed_at=None),
                name="trace_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.digest[:19]})"


class StoredProfile(models.Model):
    """What replicas can be made of, besides what is built in: a file of ``headway calibrate``."""

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    name = models.CharField(max_length=100, help_text="As its file says: what pools name it by.")
    model = models.CharField(max_length=200)
    accelerator = models.CharField(max_length=200)
    tensor_parallel = models.PositiveIntegerField()
    digest = models.CharField(max_length=DIGEST_LENGTH, help_text="Of the profile, as reports name it.")
    body = models.BinaryField(help_text="The file as it was sent; empty once it is removed.")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["environment", "digest"],
                condition=models.Q(removed_at=None),
                name="profile_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.digest[:19]})"


class CompiledPolicy(models.Model):
    """A program as a simulation takes it, by the digest that reports name it with."""

    digest = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    records = models.BinaryField(help_text="The program's records as JSON.")
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name_plural = "compiled policies"

    def __str__(self) -> str:
        return self.digest


class ReleasedRevision(models.Model):
    """Which revision an environment's newest release runs, as delivery told."""

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH, primary_key=True)
    version = models.PositiveBigIntegerField()
    revision = models.CharField(max_length=DIGEST_LENGTH)

    class Meta:
        ordering: ClassVar = ["environment"]

    def __str__(self) -> str:
        return f"{self.environment} release {self.version}"


class Scenario(models.Model):
    """The question: which policy, against which other, under which traffic. Never changed."""

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    policy = models.ForeignKey(CompiledPolicy, on_delete=models.PROTECT, related_name="+")
    policy_source = models.CharField(max_length=16)
    policy_label = models.CharField(max_length=LABEL_LENGTH)
    policy_revision = models.CharField(max_length=DIGEST_LENGTH, blank=True)
    change_set = models.ForeignKey(
        ChangeSet, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    head_digest = models.CharField(max_length=DIGEST_LENGTH, blank=True)
    against = models.ForeignKey(
        CompiledPolicy, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    against_source = models.CharField(max_length=16, blank=True)
    against_label = models.CharField(max_length=LABEL_LENGTH, blank=True)
    against_revision = models.CharField(max_length=DIGEST_LENGTH, blank=True)
    trace = models.ForeignKey(Trace, on_delete=models.PROTECT, related_name="scenarios")
    promises = models.JSONField(
        default=dict, help_text="{policy or against: {objectives and gates: [...]}}; empty in old ones."
    )
    model = models.CharField(max_length=200, help_text="The name clients ask for.")
    mix = models.JSONField(help_text="[[tenant, service tier or null, weight], ...]")
    speed = models.FloatField()
    seed = models.PositiveBigIntegerField()
    seeds = models.PositiveSmallIntegerField(help_text="Runs with so many seeds in a row.")
    limit = models.PositiveBigIntegerField(null=True, blank=True, help_text="Requests; null is all.")
    host_tokens = models.PositiveBigIntegerField()
    replicas = models.JSONField(help_text="{pool: replicas} where it is not the policy's own number.")
    knob = models.CharField(max_length=100, blank=True, help_text="Of a sweep: the number that is turned.")
    values = models.JSONField(help_text="Of a sweep.")

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.policy_label} under {self.trace.name}"


class MadeOf(models.Model):
    """In a scenario, replicas are made of this profile: those of the pool, or of all pools that name it."""

    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="made_of")
    position = models.PositiveSmallIntegerField(help_text="The last that is given for a pool counts.")
    pool = models.CharField(max_length=LABEL_LENGTH, blank=True)
    profile = models.ForeignKey(StoredProfile, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["scenario", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scenario", "position"], name="made_of_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pool or 'its pools'} of {self.profile}"


class State(models.TextChoices):
    """Of a simulation and of each of its runs. The last three are final."""

    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


OPEN = (State.QUEUED, State.RUNNING)


class Simulation(models.Model):
    """One answer to a scenario, being found or found."""

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    scenario = models.ForeignKey(Scenario, on_delete=models.PROTECT, related_name="simulations")
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    result = models.JSONField(null=True, blank=True, help_text="What `headway simulate --format json` says.")
    error_code = models.CharField(max_length=63, blank=True)
    error_detail = models.CharField(max_length=1000, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["environment", "state", "id"], name="simulation_by_state"),
        ]

    def __str__(self) -> str:
        return f"simulation {self.pk} of {self.environment}"

    @property
    def ended(self) -> bool:
        return self.state not in OPEN


class Run(models.Model):
    """One policy, one seed, one value: a child process of whoever holds the lease."""

    class Side(models.TextChoices):
        POLICY = "policy", "This policy"
        AGAINST = "against", "The other policy"

    simulation = models.ForeignKey(Simulation, on_delete=models.CASCADE, related_name="runs")
    position = models.PositiveSmallIntegerField()
    side = models.CharField(max_length=7, choices=Side.choices)
    seed = models.PositiveBigIntegerField()
    value = models.FloatField(null=True, blank=True, help_text="Of the knob that is turned.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    fence = models.PositiveIntegerField(default=0, help_text="Counts claims; older ones may not write.")
    lost = models.PositiveSmallIntegerField(default=0, help_text="Workers and children that died of it.")
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    woken_at = models.DateTimeField(help_text="When workers were last told of it.")
    requests = models.PositiveBigIntegerField(help_text="To arrive in all.")
    arrived = models.PositiveBigIntegerField(default=0)
    simulated_us = models.PositiveBigIntegerField(default=0)
    report = models.JSONField(null=True, blank=True)
    wall_us = models.PositiveBigIntegerField(default=0)
    error_code = models.CharField(max_length=63, blank=True)
    error_detail = models.CharField(max_length=1000, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["simulation", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["simulation", "position"], name="run_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["state", "woken_at"],
                name="run_open",
                condition=models.Q(state__in=["queued", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.position} of {self.simulation}"


class Promotion(models.Model):
    """What a simulation found good, as a proposal: one of the values it turned, or its whole policy."""

    simulation = models.ForeignKey(Simulation, on_delete=models.CASCADE, related_name="promotions")
    value = models.FloatField(null=True, blank=True, help_text="Of the sweep; null is the whole policy.")
    change_set = models.ForeignKey(ChangeSet, on_delete=models.PROTECT, related_name="+")
    head_digest = models.CharField(
        max_length=DIGEST_LENGTH, help_text="What the change set was when it was put into it."
    )
    author_name = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["simulation", "value"], name="promoted_value_once"),
            models.UniqueConstraint(
                fields=["simulation"], condition=models.Q(value=None), name="promoted_policy_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.simulation} in {self.change_set}"
