"""Old state and the frames since are the new state, however they are taken: one by one, merged, resumed."""

from __future__ import annotations

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.live.channels import EVENTS_KEPT, EventChannel, TableChannel
from tests.telemetry.live.mirror import Mirror

METRICS = ("a", "b")
VALUE = st.none() | st.integers(0, 3).map(float)
ROWS = st.dictionaries(st.sampled_from("wxyz"), st.tuples(VALUE, VALUE))


def channel() -> TableChannel:
    return TableChannel("e.1", METRICS, ("", ""))


def held(rows):
    return {key: list(row) for key, row in rows.items()}


@settings(max_examples=300)
@given(st.lists(ROWS, min_size=1, max_size=25), st.data())
def test_old_state_and_frames_are_the_fresh_state(tables, data):
    """A listener joins at some point, is away for some steps, and is brought up to date in either way."""
    of, mirror = channel(), Mirror()
    for at, rows in enumerate(tables):
        of.advance(1000 * at, rows)
        if not mirror.seq:
            mirror.apply(of.snapshot(7))
        elif (how := data.draw(st.sampled_from(["away", "merged", "replayed"]))) != "away":
            assert of.remembers(of.epoch, mirror.seq)
            frames = of.replay(7, mirror.seq) if how == "replayed" else of.catch_up(7, mirror.seq)
            for frame in frames:
                mirror.apply(frame)
            assert mirror.rows == held(rows)
    for frame in of.catch_up(7, mirror.seq):
        mirror.apply(frame)
    fresh = Mirror()
    fresh.apply(of.snapshot(7))
    assert mirror.rows == fresh.rows == held(tables[-1])
    assert (mirror.seq, mirror.ts) == (fresh.seq, fresh.ts)


def test_whoever_lags_is_sent_one_frame_and_not_one_a_second():
    of = channel()
    for at in range(100):
        of.advance(1000 * at, {"x": (float(at), 0.0)})
    assert len(of.catch_up(1, 30)) == 1
    frame = orjson.loads(of.catch_up(1, 30)[0])
    assert (frame["t"], frame["p"], frame["c"]) == ("d", 30, [0, 99.0])


def test_a_second_in_which_nothing_changed_still_says_that_it_is_over():
    of = channel()
    for at in range(3):
        of.advance(1000 * at, {"x": (1.0, None)})
    frame = orjson.loads(of.catch_up(1, of.seq - 1)[0])
    assert frame["c"] == []
    assert frame["ts"] == 2000


def test_two_minutes_are_remembered_and_no_more():
    of = channel()
    of.advance(0, {"x": (0.0, 0.0)})
    for second in range(1, 300):
        of.advance(1000 * second, {"x": (float(second), 0.0)})
    assert of.remembers("e.1", of.seq - 120)
    assert not of.remembers("e.1", of.seq - 130)
    assert not of.remembers("another", of.seq)
    assert not of.remembers("e.1", of.seq + 1), "a number this channel has not come to"
    assert orjson.loads(of.catch_up(1, of.seq - 200)[0])["t"] == "snap"


def test_events_come_all_and_in_order_or_with_a_gap_told():
    of = EventChannel("e.1")
    for at in range(700):
        of.happened("k", at, {"at": at})
    frames = [orjson.loads(frame) for frame in of.catch_up(3, 600)]
    assert [frame["facts"]["at"] for frame in frames] == list(range(600, 700))
    gap, *rest = [orjson.loads(frame) for frame in of.catch_up(3, 50)]
    assert (gap["t"], gap["from"]) == ("gap", 50)
    assert len(rest) == EVENTS_KEPT
    assert len(of.catch_up(3, of.first())) == 50
