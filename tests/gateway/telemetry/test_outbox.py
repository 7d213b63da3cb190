"""What is not acknowledged waits in order, within bounds; what is over them is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.outbox import SHIPPED_BATCHES, SHIPPED_BYTES, Outbox


def test_an_outage_s_batches_go_out_in_order_a_shipment_at_a_time():
    box = Outbox()
    for seq in range(1, 151):
        box.put(seq, b"x")
    sent: list[int] = []
    while chosen := box.next():
        assert len(chosen) <= SHIPPED_BATCHES
        sent += chosen
        box.done(chosen)
    assert sent == list(range(1, 151))
    assert (len(box), box.size, box.given_up) == (0, 0, 0)


def test_a_batch_larger_than_a_shipment_goes_alone():
    box = Outbox()
    box.put(1, b"x" * (SHIPPED_BYTES + 1))
    box.put(2, b"x")
    assert list(box.next()) == [1]


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 20), st.integers(1, 200))
def test_what_is_held_is_the_newest_within_bounds(sizes, most, most_bytes):
    box = Outbox(most, most_bytes)
    for seq, size in enumerate(sizes):
        box.put(seq, b"x" * size)
    held = list(box.next()) if len(sizes) <= SHIPPED_BATCHES else []
    assert len(box) + box.given_up == len(sizes)
    assert len(box) <= most
    assert box.size <= most_bytes or len(box) == 1
    assert held == list(range(len(sizes) - len(box), len(sizes)))
