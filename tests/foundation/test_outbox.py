"""Events reach their handlers at least once, whatever dies meanwhile, and wake whoever waits."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from foundation import outbox
from foundation.outbox import delivery, registry
from foundation.outbox.drainer import Drainer
from foundation.outbox.models import OutboxEvent
from tests.support.found import found

TOPIC = "tests.happened"
HANG = 30


@pytest.fixture
def heard():
    """Payloads the topic's handler was given."""
    told: list[Mapping[str, Any]] = []
    outbox.subscribe(TOPIC)(told.append)
    yield told
    registry.unsubscribe(TOPIC, told.append)


@pytest.fixture
def handler(request):
    """Subscribe a handler for one test."""
    added = []

    def subscribe(function):
        added.append(outbox.subscribe(TOPIC)(function))

    yield subscribe
    for function in added:
        registry.unsubscribe(TOPIC, function)


def emit(*numbers):
    with transaction.atomic():
        for number in numbers:
            outbox.emit(TOPIC, {"n": number}, key=str(number))


def age(seconds):
    """Let time pass for every event that waits."""
    moment = timezone.now() - timedelta(seconds=seconds)
    OutboxEvent.objects.filter(done_at=None).update(not_before=moment)


@pytest.mark.django_db
def test_events_are_delivered_once_in_order(heard):
    emit(1, 2, 3)
    assert outbox.drain() == outbox.Drained(done=3, failed=0)
    assert outbox.drain() == outbox.Drained(done=0, failed=0)
    assert [payload["n"] for payload in heard] == [1, 2, 3]


@pytest.mark.django_db
def test_an_event_of_a_transaction_that_failed_never_was(heard):
    with transaction.atomic():
        outbox.emit(TOPIC, {})
        transaction.set_rollback(True)
    assert outbox.drain().done == 0
    assert heard == []


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_a_bug():
    with pytest.raises(RuntimeError, match="transaction"):
        outbox.emit(TOPIC, {})


@pytest.mark.django_db
def test_one_pass_takes_no_more_than_it_was_told_to(heard):
    emit(*range(5))
    assert outbox.drain(limit=2).done == 2
    assert len(heard) == 2


@pytest.mark.django_db
def test_an_event_nobody_waits_for_is_done():
    with transaction.atomic():
        outbox.emit("tests.nobody", {})
    assert outbox.drain().done == 1


@pytest.mark.django_db
def test_a_handler_that_fails_is_tried_again_later_and_holds_up_no_other(handler):
    seen = []

    def handle(payload):
        seen.append(payload["n"])
        if payload["n"] == 1 and seen.count(1) < 3:
            raise OSError("the disk is full")

    handler(handle)
    emit(1, 2)
    assert outbox.drain() == outbox.Drained(done=1, failed=1)
    row = OutboxEvent.objects.get(key="1")
    assert (row.attempts, row.error, row.done_at) == (1, "OSError: the disk is full", None)
    assert outbox.drain() == outbox.Drained(0, 0), "it is not due yet"
    age(1)
    assert outbox.drain() == outbox.Drained(done=0, failed=1)
    age(1)
    assert outbox.drain() == outbox.Drained(done=1, failed=0)
    row.refresh_from_db()
    assert (row.attempts, row.error) == (3, "")
    assert seen == [1, 2, 1, 1]


@pytest.mark.django_db
def test_the_pause_doubles_up_to_five_minutes(handler):
    def handle(_):
        raise OSError

    handler(handle)
    emit(1)
    pauses = []
    for _ in range(11):
        age(0)
        before = timezone.now()
        outbox.drain()
        pauses.append(round((OutboxEvent.objects.get().not_before - before).total_seconds()))
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@pytest.mark.django_db
def test_what_a_killed_drainer_had_claimed_is_claimed_again_when_its_lease_ends(heard):
    emit(1)
    assert delivery._claim(timezone.now(), set()) is not None  # and then it is killed
    assert outbox.drain() == outbox.Drained(0, 0)
    later = timezone.now() + delivery.LEASE
    assert found(delivery._claim(later, set())).attempts == 2
    age(0)
    assert outbox.drain().done == 1
    assert heard == [{"n": 1}]


@pytest.mark.django_db
def test_the_only_drainer_takes_over_what_a_killed_one_had_claimed(heard):
    emit(1)
    assert delivery._claim(timezone.now(), set()) is not None
    assert outbox.drain().done == 0
    assert outbox.take_over() == 1
    assert outbox.drain().done == 1
    assert outbox.take_over() == 0


@pytest.mark.django_db
def test_delivered_events_are_kept_for_a_week(heard):
    emit(1, 2, 3)
    outbox.drain(limit=2)
    OutboxEvent.objects.filter(key="1").update(done_at=timezone.now() - timedelta(days=8))
    OutboxEvent.objects.filter(key="3").update(created=timezone.now() - timedelta(days=80))
    assert outbox.prune() == 1
    assert set(OutboxEvent.objects.values_list("key", flat=True)) == {"2", "3"}


def test_a_handler_subscribed_twice_hears_once(heard):
    outbox.subscribe(TOPIC)(heard.append)
    assert registry.handlers_of(TOPIC) == (heard.append,)


@pytest.mark.django_db(transaction=True)
def test_a_commit_wakes_and_a_rollback_does_not(heard):
    woken = []

    def fails():
        raise OSError

    stops = [outbox.on_wake(fails), outbox.on_wake(lambda: woken.append(OutboxEvent.objects.count()))]
    try:
        emit(1)
        with transaction.atomic():
            outbox.emit(TOPIC, {})
            transaction.set_rollback(True)
        assert woken == [1]
    finally:
        for stop in stops:
            stop()
    emit(2)
    assert woken == [1]


DATABASES = [
    pytest.param("sqlite_file", marks=pytest.mark.django_db(transaction=True), id="sqlite"),
    pytest.param(
        "transactional_db",
        marks=[pytest.mark.postgres, pytest.mark.django_db(transaction=True)],
        id="postgresql",
    ),
]


@pytest.mark.parametrize("database", DATABASES)
def test_several_drainers_at_once_deliver_each_event_once(request, database, heard):
    request.getfixturevalue(database)
    emit(*range(30))

    def work(_):
        try:
            return sum(outbox.drain().done for _ in range(3))
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 30
    assert sorted(payload["n"] for payload in heard) == list(range(30))
    assert set(OutboxEvent.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.parametrize("database", DATABASES)
def test_the_drainer_is_woken_by_commits_and_finds_by_itself_what_no_commit_told_it(
    request, database, handler
):
    request.getfixturevalue(database)
    told = threading.Semaphore(0)
    handler(lambda _: told.release())
    drainer = Drainer(period=600)
    emit(1)  # before it runs: found by its first sweep
    drainer.start()
    try:
        assert told.acquire(timeout=HANG)
        emit(2)
        assert told.acquire(timeout=HANG)
    finally:
        drainer.stop(timeout=HANG)
    assert not drainer._thread.is_alive()
    assert OutboxEvent.objects.filter(done_at=None).count() == 0
