"""The small sound policy in ``dev``, a folder of traces of the test's own, and traffic to simulate."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.db import connection

from coordination.capacity import PROFILES
from coordination.capacity.profile_file import profile_bytes
from foundation.actors import SYSTEM
from policies import services as policy
from simulations import services, work
from simulations.mapping.inputs import Ask
from simulations.mapping.policies import Wanted
from simulations.models import Run
from tests.policies.conftest import (  # noqa: F401 - fixtures
    dev,
    operator,
    stranger,
    viewer,
    world_folder,
)
from tests.support.remembered import remembered

CURRENT = Wanted("current")
ENDLESS_CLIENT = {"tenant": "acme", "sessions_per_second": 0.5, "output_tokens": 20}
ENDLESS = {"requests": 10_000_000, "clients": [ENDLESS_CLIENT]}
"""Traffic that is simulated for longer than any test waits."""


@pytest.fixture(autouse=True)
def traces_folder(tmp_path, settings):
    settings.HEADWAY_TRACE_FOLDER = tmp_path / "traces"
    work.begin()
    return settings.HEADWAY_TRACE_FOLDER


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.django_db(transaction=True)),
        pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.django_db(transaction=True)]),
    ]
)
def shared(request, world_folder):  # noqa: F811 - the fixture
    """A database several threads can use, with the environment ``dev`` in it."""
    request.getfixturevalue("sqlite_file" if request.param == "sqlite" else "transactional_db")
    assert connection.vendor == request.param
    remembered(
        "a small policy, committed",
        lambda: policy.load_folder(actor=SYSTEM, environment="dev", folder=world_folder),
    )


def mooncake(count, *, every_ms=500, start=0):
    """``count`` records of a sound trace, a block each."""
    lines = (
        {"timestamp": start + n * every_ms, "input_length": 400, "output_length": 20, "hash_ids": [n % 7]}
        for n in range(count)
    )
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def upload(data=None, name="hour.jsonl", **more):
    data = mooncake(20) if data is None else data
    given = {"actor": SYSTEM, "environment": "dev", "name": name, **more}
    return services.upload_trace(chunks=[data], **given)[0]


def calibrated(name="ours-70b", **fields):
    """The file of a profile, as ``headway calibrate`` writes it: slower than what the policy's pools name."""
    made = replace(PROFILES["llama-3-70b-a100-tp4"], name=name, **fields)
    coefficients = {
        "linear": {"fitted": True, "factor": 1.25, "plus_minus": 0.03},
        "kv": {"fitted": False, "factor": 1.0, "plus_minus": None},
    }
    after = {"count": 120, "median": 0.021, "p95": 0.08, "bias": -0.004, "r2": 0.993}
    fit = {
        "source": "recording",
        "like": "llama-3-70b-h100-tp4",
        "coefficients": coefficients,
        "beside": {},
        "errors": {"held_out": {"first token": {"before": {**after, "median": 0.4}, "after": after}}},
        "replayed": {"first token": {"p95": {"recorded": 0.41, "profile": 0.42}}},
        "notes": ["few prompts were long"],
        "warnings": [],
    }
    return profile_bytes(made, fit=fit)


def keep_profile(name="ours-70b", *, environment="dev", actor=SYSTEM, **fields):
    return services.upload_profile(actor=actor, environment=environment, chunks=[calibrated(name, **fields)])[
        0
    ]


def start(trace=None, *, policy=CURRENT, actor=SYSTEM, **more):
    if trace is None and "example" not in more:
        trace = upload()
    ask = Ask(policy, trace=trace and trace.pk, **more)
    return services.start(actor=actor, environment="dev", ask=ask)


def perform(simulation):
    """Do all of its runs here."""
    for number in Run.objects.filter(simulation=simulation).order_by("position").values_list("pk", flat=True):
        work.perform(number)
    simulation.refresh_from_db()
    return simulation
