"""Each event once, in whatever order, grouping and number of copies it arrives."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation import immutability
from ledger.models import QuarantinedEvent, TenantDay, UsageEvent, UsageHour
from ledger.periods import instant
from ledger.recorder import Recorder
from ledger.rollups import rebuild
from ledger.services import Receipt, record
from ledger.verification import verify
from tests.ledger.conftest import NOON, SECOND, event, origin, request_id

HOUR = 3600 * SECOND
pytestmark = pytest.mark.usefixtures("quickstart")


def totals() -> dict[str, int]:
    rows = UsageHour.objects.all()
    names = ("events", "uncached_input", "cached_input", "output", "cost_nano")
    return {name: sum(getattr(row, name) for row in rows) for name in names}


def test_an_event_is_priced_as_the_gateway_priced_it():
    assert record(origin(), [event()]) == Receipt(accepted=1)
    row = UsageEvent.objects.get()
    assert (row.cost_nano, row.spend_nano, row.currency) == (472_500, 472_500, "USD")
    assert row.saved_nano == 500 * (200 - 20) * 1.75


def test_sent_ten_times_it_is_entered_once():
    batch = [event(n) for n in range(20)]
    record(origin(), batch)
    for _ in range(10):
        assert record(origin(received_us=NOON + HOUR), batch) == Receipt(duplicates=20)
    assert totals()["events"] == 20


def test_twice_within_one_batch_is_once():
    assert record(origin(), [event(), event()]) == Receipt(accepted=1, duplicates=1)


def test_attempts_kinds_and_gateways_are_different_events():
    record(origin(), [event(), event(attempt=2), event(kind="interrupted", outcome="interrupted")])
    record(origin(gateway="gw_" + "b" * 26), [event()])
    assert totals()["events"] == 4


def test_other_content_under_the_same_key_is_quarantined_and_changes_nothing():
    record(origin(), [event()])
    before = totals()
    contradiction = event(output=9_999)
    for _ in range(3):
        assert record(origin(), [contradiction]) == Receipt(quarantined={"conflict": 1})
    assert totals() == before
    aside = QuarantinedEvent.objects.get()
    assert (aside.reason, aside.body["output"], aside.tenant) == ("conflict", 9_999, "acme")


def test_a_contradiction_within_one_batch_is_quarantined_too():
    assert record(origin(), [event(), event(output=1)]) == Receipt(accepted=1, quarantined={"conflict": 1})


def test_what_is_too_old_or_from_the_future_lies_aside():
    old, ahead = event(1, ended_at=NOON - 36 * 24 * HOUR), event(2, ended_at=NOON + HOUR)
    receipt = record(origin(), [old, ahead, event(3)])
    assert receipt == Receipt(accepted=1, quarantined={"too_old": 1, "ahead": 1})


def test_a_gateway_whose_clock_is_an_hour_ahead_is_understood():
    shifted = event(ended_at=NOON + HOUR, started_at=NOON + HOUR - SECOND)
    assert record(origin(skew_us=HOUR), [shifted]) == Receipt(accepted=1)
    assert record(origin(), [shifted]) == Receipt(duplicates=1)  # however the skew was judged meanwhile
    assert UsageHour.objects.get().hour == instant(NOON)


def test_what_ended_before_its_first_byte_is_free():
    record(origin(), [event(kind="failed", outcome="failed", spend_nano=0)])
    assert totals()["cost_nano"] == 0


def test_late_usage_is_charged_in_the_open_month_under_its_own_hour():
    record(origin(received_us=NOON + 10 * 24 * HOUR), [event()])
    row = UsageHour.objects.get()
    assert (row.hour, row.statement.isoformat()) == (instant(NOON), "2026-12-01")


def test_an_entered_event_cannot_be_changed_or_taken_back():
    record(origin(), [event()])
    for change in (UsageEvent.objects.update, UsageEvent.objects.all().delete):
        with pytest.raises(IntegrityError), transaction.atomic():
            change(**({"output": 1} if change == UsageEvent.objects.update else {}))


# -- order, grouping, repeats -----------------------------------------------------------------------

EVENTS = st.lists(
    st.builds(
        event,
        st.integers(0, 30),
        tenant=st.sampled_from(["acme", "acme/search", "globex"]),
        tier=st.sampled_from(["priority", "standard"]),
        ended_at=st.integers(NOON - 30 * HOUR, NOON),
        output=st.integers(0, 5),
    ),
    max_size=25,
    unique_by=lambda one: one.request_id,
)


@given(EVENTS, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_grouping_and_repetition_gives_the_same_totals_and_a_ledger_that_holds(events, random):
    with transaction.atomic():
        record(origin(), events)
        wanted = totals()
        transaction.set_rollback(True)
    with transaction.atomic():
        sent = [*events, *random.sample(events, len(events) // 2)]
        random.shuffle(sent)
        while sent:
            size = random.randint(1, len(sent))
            batch, sent = sent[:size], sent[size:]
            record(origin(), batch)
        assert totals() == wanted
        assert verify().problems == []
        kept = sorted(map(str, UsageHour.objects.values_list("hour", "tenant", "tier", "events", "output")))
        count = rebuild(
            environment="dev", since=instant(NOON - 40 * HOUR), until=instant(NOON) + timedelta(hours=1)
        )
        assert count == len(events)
        anew = sorted(map(str, UsageHour.objects.values_list("hour", "tenant", "tier", "events", "output")))
        assert anew == kept
        transaction.set_rollback(True)


# -- evidence ---------------------------------------------------------------------------------------


def tampered(number: int, **changes) -> list[str]:
    """What is found after somebody with the database in hand changed an event, or took it away."""
    with immutability.suspended(connection):
        row = UsageEvent.objects.filter(request_id=request_id(number))
        row.update(**changes) if changes else row.delete()
    return verify().problems


def test_an_altered_event_is_found():
    record(origin(), [event(n) for n in range(5)])
    found = tampered(2, output=7)
    assert any("its content was altered" in problem for problem in found)


def test_an_altered_price_is_found():
    record(origin(), [event(n) for n in range(5)])
    found = tampered(2, cost_nano=7)
    assert any("the chain is broken" in problem for problem in found)


def test_a_missing_event_is_found():
    record(origin(), [event(n) for n in range(5)])
    for number in (4, 2):  # the last of a chain is missed by its end, another one by its number
        assert tampered(number)


def test_an_altered_total_is_found_and_made_anew():
    record(origin(), [event(n) for n in range(5)])
    UsageHour.objects.update(cost_nano=1)
    assert any("totals" in problem for problem in verify().problems)
    rebuild(environment="dev", since=instant(NOON), until=instant(NOON + HOUR))
    assert verify().problems == []


def test_a_gateway_that_charged_otherwise_is_counted_but_is_no_damage():
    record(origin(), [event(spend_nano=400_000)])
    report = verify()
    assert (report.holds, report.differing, report.difference_nano) == (True, 1, 72_500)


def test_links_follow_each_other():
    record(origin(), [event(n) for n in range(3)])
    record(origin(), [event(n) for n in range(3, 6)])
    rows = list(UsageEvent.objects.order_by("chain_seq"))
    assert [row.chain_seq for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(one.chain != other.chain for one, other in pairwise(rows))
    assert TenantDay.objects.get().head == rows[-1].chain


# -- the recorder -----------------------------------------------------------------------------------


def test_the_recorder_answers_after_the_commit_and_waits_for_the_disk(sqlite_file):
    seen = []

    def write(origin_, events):
        with connection.cursor() as cursor:
            seen.append(cursor.execute("PRAGMA synchronous").fetchone()[0])
        return record(origin_, events)

    recorder = Recorder(write)
    recorder.start()
    receipts = [recorder.submit(origin(), (event(n),)) for n in range(50)]
    assert sum(receipt.result(30).accepted for receipt in receipts) == 50
    recorder.stop(10)
    assert set(seen) == {2}  # FULL
    assert totals()["events"] == 50


def test_a_batch_that_cannot_be_entered_says_so_and_takes_no_other_along(sqlite_file):
    def write(origin_, events):
        if origin_.gateway == "gw_bad":
            raise RuntimeError("cannot")
        return record(origin_, events)

    recorder = Recorder(write)
    receipts = [
        recorder.submit(origin(gateway=gateway), (event(n),))
        for n, gateway in enumerate(("gw_a", "gw_bad", "gw_c"))
    ]
    recorder.start()
    assert receipts[0].result(30).accepted == receipts[2].result(30).accepted == 1
    assert isinstance(receipts[1].exception(30), RuntimeError)
    recorder.stop(10)


@pytest.mark.postgres
def test_two_processes_that_get_the_same_events_enter_each_once():
    batches = [[event(n, ended_at=NOON - n * HOUR) for n in range(k, k + 30)] for k in (0, 10, 20, 0)]
    start = threading.Barrier(len(batches))

    def send(batch):
        try:
            start.wait(10)
            for _ in range(3):
                record(origin(), batch)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(batches)) as processes:
        list(processes.map(send, batches, timeout=60))
    assert totals()["events"] == 50
    assert verify().problems == []


@pytest.mark.postgres
def test_the_same_on_postgresql_with_conflicts_aside():
    record(origin(), [event(n) for n in range(10)])
    receipt = record(origin(), [event(n, output=n) for n in range(12)])
    assert receipt == Receipt(accepted=2, quarantined={"conflict": 10})
    assert verify().problems == []
