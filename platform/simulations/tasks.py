"""Who works on simulations, and when? Workers of the queue ``simulations``, told of each run; and a sweep.

A run takes minutes, so it never shares a worker with what must happen each second: in a scaled installation
``celery -A headway.celery worker -Q simulations`` takes them, embedded a second worker of the web process.
A message only wakes: whoever gets it claims the run, or finds it taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from foundation import outbox
from policies.models import Build
from simulations import events, leases, work
from simulations.models import OPEN, ReleasedRevision, Run, Simulation, State
from simulations.services import settle

QUEUE = "simulations"
TOLD_AGAIN = timedelta(seconds=20)
"""After which workers are told of a run again that nobody works on: the message may be lost."""
EXPIRES = 60
"""Seconds after which a message that nobody took is dropped: the sweep has sent another."""


@shared_task(name="simulations.run")
def run(number: int) -> bool:
    """Do one run, unless somebody does or did. Whether its end was written here."""
    return work.perform(number)


@shared_task(name="simulations.sweep")
def sweep() -> int:
    """Tell workers of what waits or was dropped, and end what only wants ending; returns runs told of."""
    now = timezone.now()
    for simulation in leases.give_up(now):
        settle(simulation=simulation)
    # A worker may have died between its run's end and its simulation's.
    over = Simulation.objects.filter(state__in=OPEN).exclude(runs__state__in=OPEN)
    for simulation in over.values_list("pk", flat=True):
        settle(simulation=simulation)
    forgotten = Q(state=State.QUEUED, woken_at__lt=now - TOLD_AGAIN)
    dropped = Q(state=State.RUNNING, lease_until__lt=now)
    waiting = Run.objects.filter(forgotten | dropped).order_by("id")
    return _wake(list(waiting.values_list("pk", flat=True)))


def subscribe() -> None:
    """Called once Django is ready."""
    outbox.subscribe(events.STARTED)(_started)
    outbox.subscribe("delivery.released")(_released)


def _started(payload: Mapping[str, Any]) -> None:
    waiting = Run.objects.filter(leases.free(timezone.now()), simulation=payload["simulation"])
    _wake(list(waiting.order_by("position").values_list("pk", flat=True)))


def _wake(numbers: list[int]) -> int:
    """A message for each: one task a run, whichever worker is free."""
    Run.objects.filter(pk__in=numbers).update(woken_at=timezone.now())
    for number in numbers:
        run.apply_async((number,), queue=QUEUE, expires=EXPIRES)
    return len(numbers)


@transaction.atomic
def _released(payload: Mapping[str, Any]) -> None:
    """Note which revision runs: "against what is released" must mean the same in every process."""
    environment, version = payload["environment"], payload["version"]
    build = Build.objects.filter(bundle=payload.get("bundle", ""), environment=environment).first()
    if build is None:
        return
    row, made = ReleasedRevision.objects.get_or_create(
        pk=environment, defaults={"version": version, "revision": build.revision_id}
    )
    if not made:
        ReleasedRevision.objects.filter(pk=row.pk, version__lt=version).update(
            version=version, revision=build.revision_id
        )
