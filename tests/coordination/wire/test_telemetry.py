"""Do batches come out of a shipment as they went in, and is what is no shipment refused?"""

from __future__ import annotations

import msgspec
import pytest

from coordination.sketch import Sketch
from coordination.wire.telemetry import (
    Batch,
    Queue,
    Replica,
    Series,
    decode,
    decode_batch,
    encode,
    join,
    sketch_of,
)


def batch(seq: int, **more) -> Batch:
    return Batch(
        boot_id="b",
        seq=seq,
        started_at=1_000_000 * seq,
        interval_us=1_000_000,
        sent_at=1_000_000 * (seq + 1),
        bundle="",
        state="active",
        **more,
    )


FULL = batch(
    1,
    series=(
        Series(tenant="acme/web", requests=3, refused={"no_route": 1}, ttft=Sketch.of([5, 900]).to_bytes()),
    ),
    queues=(Queue(pool="chat", band=300, depth=2, oldest_us=1500),),
    replicas=(Replica(pool="chat", replica="http://a:1", reachable=True, kv_used_ppm=400_000),),
)


def test_a_shipment_holds_its_batches_as_they_were():
    shipment = decode(join(99, [encode(FULL), encode(batch(2))]))
    assert shipment.sent_at == 99
    assert shipment.batches == (FULL, batch(2))
    assert decode_batch(encode(FULL)) == FULL
    assert sketch_of(shipment.batches[0].series[0].ttft) == Sketch.of([5, 900])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"sent_at":1,"batches":[]}',
        join(-1, [encode(FULL)]),
        join(1, [encode(FULL)] * 61),
        join(1, [encode(FULL).replace(b'"seq":1', b'"seq":-1')]),
        join(1, [encode(FULL).replace(b'"requests":3', b'"requests":9007199254740992')]),
        join(1, [encode(FULL).replace(b"acme/web", b"x" * 301)]),
    ],
)
def test_what_is_no_shipment_is_refused(body):
    with pytest.raises(msgspec.DecodeError):
        decode(body)
