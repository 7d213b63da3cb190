"""What do callers send, and what do they get? The shapes the OpenAPI document is made of."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from coordination.spec import SourceFile
from policies.api.serializers import MOST_FILES, PolicyFile
from simulations.mapping.inputs import MOST_CLIENTS, MOST_SEED, MOST_SEEDS, MOST_VALUES, Ask
from simulations.mapping.policies import SOURCES, Wanted
from simulations.models import Run, Simulation, Trace

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
    """A ``trace`` by number or an ``example`` by name; what is left out is the policy's own."""

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
    sweep = Sweep(required=False, allow_null=True, default=None)


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
    knob = s.CharField()
    values = s.ListField(child=s.FloatField())


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


class ComparedOne(s.Serializer[Any]):
    id = s.IntegerField()
    policy = s.CharField()
    trace = s.CharField()
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
