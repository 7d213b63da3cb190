"""Screens hear of a simulation as it begins, goes on and ends, on a channel that is the staff's alone."""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from foundation.actors import SYSTEM
from simulations import events, services
from telemetry.live import notice
from telemetry.live.hub import EVENTS
from telemetry.live.messages import Happened
from tests.simulations.conftest import start
from tests.support.policies import ROOT


@pytest.fixture
def heard():
    messages: list[Any] = []
    notice.listen(messages.append)
    yield messages
    notice.forget(messages.append)


def test_each_step_is_told_once_it_is_true(dev, heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        simulation = start()
        assert heard == []
    run = simulation.runs.get()
    run.arrived = 7
    with django_capture_on_commit_callbacks(execute=True):
        events.progressed(run)
    with django_capture_on_commit_callbacks(execute=True):
        services.cancel(actor=SYSTEM, simulation=simulation)
    assert [each.kind for each in heard] == ["started", "progressed", "ended"]
    assert all(isinstance(each, Happened) and each.environment == "dev" for each in heard)
    assert {each.channel for each in heard} == {events.CHANNEL} <= EVENTS
    assert heard[1].facts["arrived"] == 7
    assert heard[2].facts == {"simulation": simulation.pk, "state": "cancelled"}


def test_a_web_process_sends_its_wake_ups_to_our_broker():
    """Without an application of ours in it, a task would go to a broker that nobody has."""
    probe = "import headway.asgi; from simulations.tasks import run; print(run.app.conf.broker_url)"
    with TemporaryDirectory() as var:
        there = {**os.environ, "HEADWAY_VAR": var, "REDIS_URL": "redis://127.0.0.1:9/7"}
        there["DJANGO_SETTINGS_MODULE"] = "headway.settings.base"
        done = subprocess.run(
            [sys.executable, "-c", probe], env=there, cwd=ROOT, capture_output=True, text=True
        )
    assert done.stdout.strip() == "redis://127.0.0.1:9/7", done.stderr
