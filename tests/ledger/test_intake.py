"""A batch off the wire: entered, understood with its clock, answered after the commit."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from coordination.wire import usage
from ledger.intake import UsageIntake
from ledger.models import QuarantinedEvent, UsageEvent
from ledger.recorder import Recorder
from tests.ledger.conftest import GATEWAY, NOON, SECOND, event

HOUR = 3600 * SECOND
pytestmark = pytest.mark.usefixtures("quickstart")


@pytest.fixture
def take(sqlite_file):
    """What an intake answers at noon and a second."""
    recorder = Recorder()
    recorder.start()
    intake = UsageIntake(recorder, lambda: NOON + SECOND)

    def send(*events, sent_at=NOON + SECOND, boot_id="b1", seq=1):
        batch = usage.Batch(boot_id=boot_id, seq=seq, sent_at=sent_at, events=events)
        return asyncio.run(intake(GATEWAY, "dev", usage.encode(batch)))

    yield send
    recorder.stop(10)


def test_a_batch_sent_again_by_a_later_boot_changes_nothing(take):
    first = take(event(1), event(2))
    again = take(event(2), event(1), event(3), boot_id="b2", seq=9)
    assert first == {"accepted": 2, "duplicates": 0, "quarantined": {}}
    assert again == {"accepted": 1, "duplicates": 2, "quarantined": {}}


def test_a_gateway_whose_clock_is_a_day_ahead_is_understood_and_one_that_lies_is_not(take):
    ahead = 24 * HOUR
    told = take(event(1, ended_at=NOON + ahead), sent_at=NOON + SECOND + ahead)
    assert told["accepted"] == 1
    assert take(event(2, ended_at=NOON + ahead))["quarantined"] == {"ahead": 1}
    assert UsageEvent.objects.get().occurred_us == NOON
    assert QuarantinedEvent.objects.count() == 1


def test_what_is_no_batch_is_refused_with_the_place(take):
    with pytest.raises(msgspec.ValidationError, match="output"):
        take(event(1, output=-1))
