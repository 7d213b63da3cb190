"""A run is done once: whoever dies, stops, is too slow or is told to end, on both databases."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from coordination.simulator import simulate
from foundation import audit, outbox
from foundation.actors import SYSTEM
from foundation.http import Conflict
from simulations import leases, services, tasks, work
from simulations.mapping.inputs import job_of
from simulations.models import Run, Simulation, State
from simulations.process import Child
from tests.simulations.conftest import CURRENT, ENDLESS, ENDLESS_CLIENT, perform, start, upload
from tests.support.found import found

PATIENCE = 60.0
"""Seconds: only against hanging."""


def endless():
    return start(upload(json.dumps(ENDLESS).encode(), name="endless.json"))


def only_run(simulation):
    return Run.objects.get(simulation=simulation)


def until(true):
    ends = time.monotonic() + PATIENCE
    while not (seen := true()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return seen


class Worker(threading.Thread):
    """``work.perform`` beside the test."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.number, self.wrote = number, None
        self.start()

    def run(self):
        try:
            self.wrote = work.perform(self.number)
        finally:
            connection.close()

    def over(self):
        self.join(PATIENCE)
        assert not self.is_alive()
        return self.wrote


@pytest.fixture
def children(monkeypatch):
    """Process ids of the children begun."""
    seen = []
    enter = Child.__enter__

    def noting(self):
        child = enter(self)
        seen.append(child.pid)
        return child

    monkeypatch.setattr(Child, "__enter__", noting)
    return seen


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_what_a_child_finds_is_what_the_simulator_finds_here(dev):
    simulation = perform(start(speed=2.0, seed=5))
    run = only_run(simulation)
    here = simulate(job_of(run, simulation.scenario).study())
    assert (simulation.state, run.state) == (State.DONE, State.DONE)
    assert run.report == json.loads(json.dumps(here))
    assert simulation.result["requests"] == 20
    assert simulation.result["inputs"]["policy"] == simulation.scenario.policy_id
    assert simulation.result["inputs"]["trace"] == simulation.scenario.trace.digest
    assert "wall_seconds" in simulation.result
    assert audit.verify().holds


@pytest.mark.slow
def test_a_cancelled_run_s_child_ends_and_nothing_is_written(shared, children):
    simulation = endless()
    worker = Worker(only_run(simulation).pk)
    until(lambda: only_run(simulation).arrived > 0)
    services.cancel(actor=SYSTEM, simulation=simulation)
    assert worker.over() is False
    simulation.refresh_from_db()
    run = only_run(simulation)
    assert (simulation.state, run.state, run.report) == (State.CANCELLED, State.CANCELLED, None)
    assert not any(lives(pid) for pid in children)
    with pytest.raises(Conflict) as refused:
        services.cancel(actor=SYSTEM, simulation=simulation)
    assert refused.value.code == "simulation_ended"


@pytest.mark.slow
def test_a_killed_child_s_run_is_begun_again_and_given_up_in_the_end(shared, children, monkeypatch):
    simulation = endless()
    number = only_run(simulation).pk
    for lost in range(1, leases.MOST_LOST + 1):
        worker = Worker(number)
        until(lambda: len(children) == lost and only_run(simulation).state == State.RUNNING)  # noqa: B023
        os.kill(children[-1], 9)
        assert worker.over() is False
        assert (only_run(simulation).state, only_run(simulation).lost) == (State.QUEUED, lost)
    assert work.perform(number) is False
    tasks.sweep()
    simulation.refresh_from_db()
    assert (simulation.state, simulation.error_code) == (State.FAILED, "worker_lost")


@pytest.mark.slow
def test_a_stopped_worker_gives_its_run_back_at_once(dev, transactional_db, children):
    simulation = endless()
    worker = Worker(only_run(simulation).pk)
    until(lambda: children)
    work.stop()
    assert worker.over() is False
    run = only_run(simulation)
    assert (run.state, run.lost, run.lease_until) == (State.QUEUED, 0, None)
    assert work.perform(run.pk) is False  # it does not begin anything either
    assert not lives(children[0])


def silent(run):
    """Its worker has said nothing for too long."""
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def report_of(number):
    """As much of one as those who read it here look at."""
    return {
        "requests": number,
        "completed": number,
        "refused": {},
        "simulated_seconds": 1.0,
        "ttft": {"p95": 0.1, "p99": 0.2},
        "cache": {"token_hit": 0.5},
        "inputs": {"digest": f"sha256:{number}"},
    }


def test_of_two_workers_only_the_newer_writes(shared):
    """The older was not dead, only slow: its report is nobody's."""
    run = only_run(start())
    slow = found(leases.claim(run.pk, "slow"))
    assert leases.claim(run.pk, "too early") is None
    silent(run)
    quick = found(leases.claim(run.pk, "quick"))
    assert slow.fence < quick.fence
    assert leases.renew(slow, 1, 1) is False
    assert leases.finish(slow, report_of(1), 1) is False
    assert leases.fail(slow, "no", "no") is False
    assert leases.give_back(slow, lost=True) is False
    assert leases.renew(quick, 2, 2) is True
    assert leases.finish(quick, report_of(2), 1) is True
    assert leases.finish(quick, report_of(3), 1) is False
    run.refresh_from_db()
    assert (run.state, run.report["requests"], run.lost) == (State.DONE, 2, 1)
    assert leases.claim(run.pk, "late") is None


@pytest.mark.slow
def test_a_run_claimed_by_many_is_one_worker_s(shared):
    run = only_run(start())
    ready = threading.Barrier(4, timeout=30)
    won = []

    def hand(number):
        try:
            ready.wait()
            won.append(leases.claim(run.pk, f"worker {number}"))
        finally:
            connection.close()

    hands = [threading.Thread(target=hand, args=(number,)) for number in range(4)]
    for each in hands:
        each.start()
    for each in hands:
        each.join(30)
    assert len([each for each in won if each]) == 1
    run.refresh_from_db()
    assert run.fence == 1


def test_a_run_that_costs_every_worker_is_given_up(dev):
    simulation = start()
    run = only_run(simulation)
    for _ in range(leases.MOST_LOST):
        assert leases.claim(run.pk, "a worker")
        silent(run)
    tasks.sweep()
    simulation.refresh_from_db()
    assert (simulation.state, simulation.error_code) == (State.FAILED, "worker_lost")
    assert leases.claim(run.pk, "another") is None


def test_what_died_between_the_run_s_end_and_the_simulation_s_is_ended_by_the_sweep(dev):
    simulation = start()
    lease = found(leases.claim(only_run(simulation).pk, "a worker"))
    leases.finish(lease, report_of(20), 1)
    assert simulation.state == State.QUEUED
    tasks.sweep()
    simulation.refresh_from_db()
    assert simulation.state == State.DONE
    assert services.settle(simulation=simulation.pk) is False


def test_workers_are_told_of_each_run_and_told_again_if_nobody_came(dev, monkeypatch):
    told = []
    monkeypatch.setattr(
        tasks.run, "apply_async", lambda arguments, **options: told.append((arguments, options["queue"]))
    )
    simulation = start(policy=CURRENT, knob="speed", values=(1.0, 2.0, 3.0))
    numbers = list(simulation.runs.order_by("position").values_list("pk", flat=True))
    while outbox.drain().done:
        pass
    assert told == [((number,), "simulations") for number in numbers]
    told.clear()
    assert tasks.sweep() == 0
    Run.objects.filter(pk=numbers[1]).update(woken_at=timezone.now() - timedelta(minutes=1))
    assert tasks.sweep() == 1
    assert told == [((numbers[1],), "simulations")]


def test_one_failed_run_fails_the_simulation_and_spares_the_rest(dev):
    simulation = start(seeds=3)
    first, second, third = simulation.runs.order_by("position")
    leases.finish(found(leases.claim(first.pk, "a")), report_of(20), 1)
    assert services.settle(simulation=simulation.pk) is False
    leases.fail(found(leases.claim(second.pk, "a")), "out_of_memory", "it needed too much")
    assert services.settle(simulation=simulation.pk) is True
    simulation.refresh_from_db()
    third.refresh_from_db()
    assert (simulation.state, simulation.error_code) == (State.FAILED, "out_of_memory")
    assert third.state == State.CANCELLED
    assert Simulation.objects.get(pk=simulation.pk).result is None


@pytest.mark.slow
def test_a_child_that_needs_more_memory_than_it_may_says_so(dev, settings):
    settings.HEADWAY_SIMULATION_MB = 1
    hungry = {**ENDLESS, "clients": [{**ENDLESS_CLIENT, "families": 10_000_000}]}
    simulation = perform(start(upload(json.dumps(hungry).encode(), name="hungry.json")))
    assert simulation.state == State.FAILED
    assert simulation.error_code == "out_of_memory"


def test_a_trace_that_is_not_on_the_worker_s_disk_is_told(dev, traces_folder):
    simulation = start()
    for file in traces_folder.iterdir():
        file.unlink()
    perform(simulation)
    assert (simulation.state, simulation.error_code) == (State.FAILED, "trace_missing")


@pytest.mark.slow
def test_what_takes_too_long_is_ended(dev, settings, children):
    settings.HEADWAY_SIMULATION_MINUTES = 0
    simulation = perform(endless())
    assert (simulation.state, simulation.error_code) == (State.FAILED, "took_too_long")
    assert not lives(children[0])
