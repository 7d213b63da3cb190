"""While something large is read the collector waits; afterwards it is as it was."""

from __future__ import annotations

import gc
import threading

import pytest

from subscriber.beside import undisturbed


@pytest.fixture(autouse=True)
def _on():
    gc.enable()
    yield
    gc.enable()


def test_the_collector_is_off_while_it_works_and_on_again_after():
    assert undisturbed(lambda: gc.isenabled()) is False
    assert gc.isenabled()


def test_it_is_on_again_after_a_failure():
    def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        undisturbed(fails)
    assert gc.isenabled()


def test_of_two_at_once_the_last_turns_it_on():
    inside, leave, seen = threading.Event(), threading.Event(), []

    def longer():
        inside.set()
        leave.wait(20)
        seen.append(gc.isenabled())

    other = threading.Thread(target=undisturbed, args=[longer])
    other.start()
    assert inside.wait(20)
    assert undisturbed(lambda: gc.isenabled()) is False
    assert not gc.isenabled(), "the other is still at work"
    leave.set()
    other.join(20)
    assert seen == [False]
    assert gc.isenabled()


def test_where_it_is_off_it_stays_off():
    gc.disable()
    assert undisturbed(lambda: 7) == 7
    assert not gc.isenabled()


def test_what_was_made_is_not_looked_at_again():
    before = gc.get_freeze_count()
    kept = undisturbed(lambda: [[number] for number in range(1000)])
    assert gc.get_freeze_count() >= before + 1000
    assert len(kept) == 1000
