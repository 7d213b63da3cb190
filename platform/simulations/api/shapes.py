"""What do callers send, and what do they get? The shapes the OpenAPI document is made of."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers as s

from coordination.capacity import Profile
from coordination.capacity.profile_file import read_profile
from coordination.spec import SourceFile
from policies.api.serializers import MOST_FILES, PolicyFile
from simulations import selectors
from simulations.mapping.fits import fit_of
from simulations.mapping.inputs import MOST_CLIENTS, MOST_PROFILES, MOST_SEED, MOST_SEEDS, MOST_VALUES, Ask
from simulations.mapping.policies import SOURCES, Wanted
from simulations.models import MadeOf, Run, Scenario, Simulation, StoredProfile, Trace

LARGEST = 2**63 - 1


class TraceRow(s.ModelSerializer[Trace]):
    """Traffic that is kept. ``span_us`` is 0 for traffic to be drawn."""

    class Meta:
        model = Trace
        fields = (
            "id",
            "name",
            "source",
            "format",
            "digest",
            "size",
            "requests",
            "span_us",
            "input_tokens",
            "output_tokens",
            "author_name",
            "created_at",
        )


class TracePage(s.Serializer[Any]):
    """``examples``: names of traces that came with the product and need no upload."""

    items = TraceRow(many=True)
    next = s.CharField(allow_null=True)
    examples = s.ListField(child=s.CharField())


class ProfileRow(s.ModelSerializer[StoredProfile]):
    """A profile that is kept. ``name`` is what a pool's ``profile`` names it by, and stands in its file."""

    class Meta:
        model = StoredProfile
        fields = (
            "id",
            "name",
            "model",
            "accelerator",
            "tensor_parallel",
            "digest",
            "author_name",
            "created_at",
        )


class ProfilePage(s.Serializer[Any]):
    items = ProfileRow(many=True)
    next = s.CharField(allow_null=True)


_FIELDS: dict[Any, type[s.Field[Any, Any, Any, Any]]] = {
    "str": s.CharField,
    "int": s.IntegerField,
    "float": s.FloatField,
}
ProfileFields = type(
    "ProfileFields",
    (s.Serializer,),
    {
        "__doc__": "Times in seconds, rates per second, sizes in bytes.",
        **{field.name: _FIELDS[field.type]() for field in fields(Profile)},
    },
)


class Coefficient(s.Serializer[Any]):
    """Times what it was where the fit began; ``plus_minus`` is null where measurements could not tell it."""

    factor = s.FloatField()
    plus_minus = s.FloatField(allow_null=True)


class FitErrors(s.Serializer[Any]):
    """Relative; ``bias`` above zero: the profile is too slow."""

    count = s.IntegerField()
    median = s.FloatField()
    p95 = s.FloatField()
    bias = s.FloatField()
    r2 = s.FloatField(allow_null=True)


class Replayed(s.Serializer[Any]):
    """Seconds."""

    recorded = s.FloatField()
    profile = s.FloatField()


class FitShape(s.Serializer[Any]):
    """``errors``: part, what was measured, ``before`` and ``after`` the fit. ``replayed``: what, and at which
    percentile."""

    source = s.CharField()  # type: ignore[assignment] # a member of the document
    like = s.CharField()
    coefficients = s.DictField(child=Coefficient())
    errors = s.DictField(child=s.DictField(child=s.DictField(child=FitErrors())))  # type: ignore[assignment]
    replayed = s.DictField(child=s.DictField(child=Replayed()))
    notes = s.ListField(child=s.CharField())
    warnings = s.ListField(child=s.CharField())


class ProfileDetail(ProfileRow):
    """``profile`` as a simulation takes it; ``fit``: what ``headway calibrate`` said of how well it fits,
    null where the file says nothing that is understood."""

    profile = s.SerializerMethodField()
    fit = s.SerializerMethodField()

    class Meta(ProfileRow.Meta):
        fields = (*ProfileRow.Meta.fields, "profile", "fit")  # type: ignore[assignment]

    @extend_schema_field(ProfileFields)
    def get_profile(self, row: StoredProfile) -> dict[str, Any]:
        return dict(ProfileFields(read_profile(bytes(row.body))).data)

    @extend_schema_field(FitShape(allow_null=True))
    def get_fit(self, row: StoredProfile) -> dict[str, Any] | None:
        fit = fit_of(bytes(row.body))
        return None if fit is None else msgspec.to_builtins(fit)


class MadeOfOne(s.Serializer[Any]):
    """Replicas of ``pool``, or without one those of every pool that names it, are of the profile."""

    profile = s.IntegerField(min_value=1, max_value=LARGEST, help_text="Its number.")
    pool = s.CharField(max_length=200, required=False, allow_blank=True, default="")


class PolicySide(s.Serializer[Any]):
    """Which policy. ``revision``, ``change_set`` and ``files`` belong to the sources of those names."""

    source = s.ChoiceField(choices=SOURCES)  # type: ignore[assignment] # a member of the document
    revision = s.CharField(max_length=71, required=False, default="")
    change_set = s.IntegerField(min_value=1, max_value=LARGEST, required=False, allow_null=True, default=None)
    files = s.ListField(child=PolicyFile(), max_length=MOST_FILES, required=False, default=list)


class Client(s.Serializer[Any]):
    """A part of the traffic, by weight."""

    tenant = s.CharField(max_length=600)
    service_tier = s.CharField(max_length=63, required=False, allow_null=True, default=None)
    weight = s.IntegerField(min_value=0, max_value=10**6, required=False, default=1)


class Sweep(s.Serializer[Any]):
    """``knob``: ``replicas``, ``replicas:POOL``, ``speed``, ``host_tokens`` or ``release_after``."""

    knob = s.CharField(max_length=100)
    values = s.ListField(child=s.FloatField(), min_length=1, max_length=MOST_VALUES)


class NewSimulation(s.Serializer[Any]):
    """A ``trace`` by number or an ``example`` by name; what is left out is the policy's own. ``profiles``
    hold for both policies; of several for one pool the last counts."""

    policy = PolicySide()
    against = PolicySide(required=False, allow_null=True, default=None)
    trace = s.IntegerField(min_value=1, max_value=LARGEST, required=False, allow_null=True, default=None)
    example = s.CharField(max_length=120, required=False, default="")
    speed = s.FloatField(required=False, default=1.0)
    seed = s.IntegerField(min_value=0, max_value=MOST_SEED, required=False, default=1)
    seeds = s.IntegerField(min_value=1, max_value=MOST_SEEDS, required=False, default=1)
    limit = s.IntegerField(min_value=1, max_value=10**12, required=False, allow_null=True, default=None)
    mix = s.ListField(child=Client(), max_length=MOST_CLIENTS, required=False, default=list)
    model = s.CharField(max_length=200, required=False, default="")
    host_tokens = s.IntegerField(min_value=0, max_value=10**12, required=False, default=0)
    replicas = s.DictField(child=s.IntegerField(min_value=1, max_value=512), required=False, default=dict)
    profiles = s.ListField(child=MadeOfOne(), max_length=MOST_PROFILES, required=False, default=list)
    sweep = Sweep(required=False, allow_null=True, default=None)


class NewPromotion(s.Serializer[Any]):
    """``value``: one of a sweep's; null for the revision that was simulated."""

    value = s.FloatField(required=False, allow_null=True, default=None)


class RunRow(s.ModelSerializer[Run]):
    class Meta:
        model = Run
        fields = (
            "position",
            "side",
            "seed",
            "value",
            "state",
            "requests",
            "arrived",
            "simulated_us",
            "error_code",
            "error_detail",
            "started_at",
            "ended_at",
        )


class SimulationRow(s.ModelSerializer[Simulation]):
    """``policy`` and ``against`` are what they are called; the digests stand in the result's inputs."""

    policy = s.CharField(source="scenario.policy_label")
    against = s.CharField(source="scenario.against_label")
    change_set = s.IntegerField(source="scenario.change_set_id", allow_null=True)
    head_digest = s.CharField(source="scenario.head_digest")
    trace = s.IntegerField(source="scenario.trace_id")
    trace_name = s.CharField(source="scenario.trace.name")

    class Meta:
        model = Simulation
        fields = (
            "id",
            "environment",
            "state",
            "policy",
            "against",
            "change_set",
            "head_digest",
            "trace",
            "trace_name",
            "error_code",
            "error_detail",
            "author_name",
            "created_at",
            "started_at",
            "ended_at",
        )


class MadeOfRow(s.ModelSerializer[MadeOf]):
    """A profile of a scenario. It may have been removed since."""

    profile = s.IntegerField(source="profile_id")
    name = s.CharField(source="profile.name")
    digest = s.CharField(source="profile.digest")

    class Meta:
        model = MadeOf
        fields = ("profile", "pool", "name", "digest")


class ScenarioShape(s.Serializer[Any]):
    """What is simulated, with everything that was left open filled in."""

    policy = s.CharField(source="policy_id")
    policy_source = s.CharField()
    policy_revision = s.CharField()
    against = s.CharField(source="against_id", allow_null=True)
    against_source = s.CharField()
    against_revision = s.CharField()
    model = s.CharField()
    mix = s.ListField(child=s.ListField())
    speed = s.FloatField()
    seed = s.IntegerField()
    seeds = s.IntegerField()
    limit = s.IntegerField(allow_null=True)
    host_tokens = s.IntegerField()
    replicas = s.DictField(child=s.IntegerField())
    profiles = s.SerializerMethodField()
    knob = s.CharField()
    values = s.ListField(child=s.FloatField())

    @extend_schema_field(MadeOfRow(many=True))
    def get_profiles(self, row: Scenario) -> list[dict[str, Any]]:
        return [dict(each) for each in MadeOfRow(selectors.made_of(row), many=True).data]


class SimulationDetail(SimulationRow):
    """``result`` has the members that ``headway simulate --format json`` prints, once it is done."""

    scenario = ScenarioShape()
    runs = s.SerializerMethodField()
    result = s.DictField(allow_null=True)

    class Meta(SimulationRow.Meta):
        fields = (*SimulationRow.Meta.fields, "scenario", "runs", "result")  # type: ignore[assignment]

    def get_runs(self, row: Simulation) -> list[dict[str, Any]]:
        rows = row.runs.defer("report").order_by("position")
        return [dict(each) for each in RunRow(rows, many=True).data]


class SimulationPage(s.Serializer[Any]):
    items = SimulationRow(many=True)
    next = s.CharField(allow_null=True)


class ComparedProfile(s.Serializer[Any]):
    """What the replicas of a pool, or of those that name it, are made of."""

    pool = s.CharField(allow_blank=True)
    name = s.CharField()
    digest = s.CharField()


class ComparedOne(s.Serializer[Any]):
    id = s.IntegerField()
    policy = s.CharField()
    trace = s.CharField()
    profiles = ComparedProfile(many=True)
    figures = s.DictField(child=s.FloatField(allow_null=True))


class Compared(s.Serializer[Any]):
    """``same_arrivals``: whether every one of them met the same requests at the same instants."""

    same_arrivals = s.BooleanField()
    items = ComparedOne(many=True)


def ask_of(given: dict[str, Any]) -> Ask:
    """A validated ``NewSimulation`` as services take it."""
    sweep, against = given["sweep"], given["against"]
    return Ask(
        policy=_wanted(given["policy"]),
        against=None if against is None else _wanted(against),
        mix=tuple((one["tenant"], one["service_tier"] or None, one["weight"]) for one in given["mix"]),
        knob="" if sweep is None else sweep["knob"],
        profiles=tuple((one["pool"], one["profile"]) for one in given["profiles"]),
        values=() if sweep is None else tuple(sweep["values"]),
        **{
            name: given[name]
            for name in (
                "trace",
                "example",
                "speed",
                "seed",
                "seeds",
                "limit",
                "model",
                "host_tokens",
                "replicas",
            )
        },
    )


def _wanted(given: dict[str, Any]) -> Wanted:
    files = [
        SourceFile(file["name"], file["text"].encode("utf-8", "surrogatepass")) for file in given["files"]
    ]
    return Wanted(given["source"], given["revision"], given["change_set"], tuple(files))
