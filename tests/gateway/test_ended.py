"""Is what ended counted the same, whether one by one or many together?"""

from __future__ import annotations

import re
from bisect import bisect_left
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.index import Program
from coordination.program.named import Reservation
from coordination.program.records import ReservationRecord
from coordination.scheduling import Decision, Dispatch
from coordination.scheduling.promises import Envelope, Kept, Promise
from coordination.scheduling.reservations import LaneBuckets
from coordination.scheduling.values import Charge, Request, Usage
from gateway import metrics
from gateway.ended import Histogram
from gateway.errors import Problem
from gateway.explanations import Explanation
from gateway.metrics import Metrics

PROMISES_NOTHING = cast(Program, SimpleNamespace(tiers={}))
RECORD = cast(ReservationRecord, SimpleNamespace(enforcement_window=60_000_000))
RESERVED = Reservation(0, "r", "r", "a", "p", "high", 1, 1, 0, (), RECORD)
ENVELOPE = Envelope(LaneBuckets(RESERVED, 0), 0)
PROBLEMS = [None, None, Problem("rate_limit_exceeded", "Later."), Problem("upstream_failed", "Broken.")]


@given(st.lists(st.lists(st.integers(0, 50), max_size=300), max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_histogram_puts_each_value_where_it_belongs(parts):
    bounds = (1, 5, 10, 20)
    histogram = Histogram(bounds)
    expected = [0] * 5
    for part in parts:
        histogram.extend(part)
        for value in part:
            expected[bisect_left(bounds, value)] += 1
    for _ in range(2):
        assert histogram.counted() == (expected, sum(map(sum, parts)))


@st.composite
def explanations(draw):
    """As an exchange leaves them: of two tenants, models and replicas, in every state they end in."""
    arrived = 1_000_000
    one = Explanation("req_1", arrived, tenant=draw(st.sampled_from([None, "a", "b"])))
    one.operation, one.model = "chat", draw(st.sampled_from(["m", "n"]))
    one.stream = draw(st.booleans())
    one.problem = draw(st.sampled_from(PROBLEMS))
    one.status = one.problem.status if one.problem else draw(st.sampled_from([200, 200, 400]))
    one.outcome = "refused" if one.problem else draw(st.sampled_from(["completed", "aborted"]))
    one.finished = arrived + draw(st.integers(0, 10**7))
    if draw(st.booleans()):
        honoured = draw(st.sampled_from([None, True, False]))
        tier, lane = (
            draw(st.sampled_from(["high", "low"])),
            draw(st.sampled_from(["none", "used", "spilled"])),
        )
        request = Request("req_1", one.tenant or "", one.model, tier, False, 1, 1, [], arrived, "req_1")
        one.decision = decision = Decision(request, [])
        decision.pool, decision.reservation = "p", lane
        if draw(st.booleans()):
            decision.promise = Promise(Kept(), ENVELOPE, (0, 0), arrived, arrived)
            decision.promise.honoured = honoured
        for _ in range(draw(st.integers(0, 2))):
            replica = draw(st.sampled_from(["http://one", "http://two"]))
            queued = draw(st.integers(0, 1000))
            one.dispatches.append(Dispatch(decision, request, "p", replica, 1, queued, 0, (), None))
    if one.dispatches and draw(st.booleans()):
        one.first_byte = draw(st.integers(arrived, one.finished))
        tokens = st.integers(0, 3)
        used = Usage(draw(tokens), draw(tokens), draw(tokens), draw(tokens), draw(tokens))
        one.charge = Charge("req_1", 1, used, 0, None, 0, "high", 0)
    return one


def page(counted: Metrics) -> bytes:
    shown = counted.page(queue_depths={}, replicas=[], connections=0, in_flight=0, bundle="")
    return re.sub(rb"(?m)^process_.*$", b"", shown)


@given(st.lists(explanations(), max_size=40), st.integers(1, 10), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_one_by_one_or_together_the_same_is_counted(ended, together, kept_back):
    singly, jointly = Metrics(), Metrics()
    for one in ended:
        singly.finished(one, PROMISES_NOTHING)
        page(singly)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_TOGETHER", together)
        patch.setattr(metrics, "_KEPT_BACK", kept_back)
        for one in ended:
            jointly.finished(one, PROMISES_NOTHING)
            assert len(jointly._ended) <= kept_back
    assert page(singly) == page(jointly)
    assert page(jointly).count(b'headway_requests_total{status="') == len(
        {(one.status, one.problem, one.decision.tier if one.decision else "") for one in ended}
    )
    by_key = [
        sorted(each.meter.take(), key=lambda of: (of.tenant, of.tier, of.model, of.pool, of.replica or ""))
        for each in (singly, jointly)
    ]
    assert by_key[0] == by_key[1]
    assert sum(of.requests for of in by_key[0]) == sum(1 for one in ended if one.decision or one.problem)


def test_what_has_ended_is_counted_before_anybody_looks():
    counted = Metrics()
    one = Explanation("req_1", 1_000_000, tenant="a")
    one.problem, one.status, one.finished = PROBLEMS[2], 429, 1_000_500
    counted.finished(one, PROMISES_NOTHING)
    (series,) = counted.meter.take()
    assert (series.requests, series.refused) == (1, {"rate_limit_exceeded": 1})
    counted.finished(one, PROMISES_NOTHING)
    assert b'headway_requests_total{status="429",code="rate_limit_exceeded",tier=""} 2' in page(counted)
    assert len(counted.meter.take()) == 1
