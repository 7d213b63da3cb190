"""What do the rules learn of a replica from its page and its list of models?"""

from __future__ import annotations

from coordination.engines import Listing, Reading
from coordination.scheduling.values import ReplicaReport
from gateway.engine_page import report_of


def test_all_that_is_known_is_told():
    reading = Reading("vllm", 7, 2, 750_000, 1000, 10, 5, frozenset({"sql"}))
    listing = Listing(frozenset({"m", "sql", "law"}), frozenset({"sql", "law"}))
    assert report_of(reading, listing, at=7) == ReplicaReport(
        at=7,
        waiting=2,
        running=7,
        kv_used_ppm=750_000,
        kv_capacity=1000,
        adapters=frozenset({"sql"}),
        loaded=frozenset({"sql", "law"}),
    )


def test_what_is_not_known_stays_unknown_and_is_not_zero():
    for nothing in (None, Reading()):
        told = report_of(nothing, None, at=0)
        assert (told.running, told.waiting, told.kv_used_ppm, told.kv_capacity) == (None,) * 4
        assert (told.adapters, told.loaded) == (frozenset(), frozenset())
