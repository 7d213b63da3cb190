"""Minimum shares: F2 of R14 on the rule alone, and what a starved band gets of a fleet."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION
from coordination.scheduling.bands import corrected, next_band, served
from coordination.scheduling.waiting import Queue
from tests.support.programs import SECOND, START, a_policy
from tests.support.virtual_fleet import VirtualFleet

Step = tuple[int, int]
"""(which band gains or loses work, cost of the dispatch that follows)"""


def bands_of(shares: list[int]) -> list[Queue]:
    """From the highest down, as a pool keeps them."""
    queues = []
    for number, share in enumerate(shares):
        queue = Queue(1000 - number)
        queue.minimum = share
        queues.append(queue)
    return queues


class Played:
    """Bands served by the rule, and the worst shortfall m S - service any of them saw while it waited."""

    def __init__(self, queues: list[Queue]) -> None:
        self.queues = queues
        self.service = dict.fromkeys((one.band for one in queues), 0)
        self.shortfall = dict.fromkeys(self.service, 0)
        self.largest = 0
        self._least: dict[int, int | None] = dict.fromkeys(self.service)
        self._total = 0

    def dispatch(self, cost: int, left: int) -> None:
        """``left`` requests stay behind in the band that is served."""
        self._look()
        queue = next_band(self.queues, set())
        if queue is None:
            return
        queue.depth = left
        served(self.queues, queue, cost)
        self.service[queue.band] += cost
        self._total += cost
        self.largest = max(self.largest, cost)
        self._look()

    def _look(self) -> None:
        for queue in self.queues:
            if not queue.depth:
                self._least[queue.band] = None
                continue
            behind = queue.minimum * self._total - MILLION * self.service[queue.band]
            least = self._least[queue.band]
            least = behind if least is None else min(least, behind)
            self._least[queue.band] = least
            self.shortfall[queue.band] = max(self.shortfall[queue.band], behind - least)

    def check(self) -> None:
        for queue in self.queues:
            assert self.shortfall[queue.band] <= (len(self.queues) + 1) * self.largest * MILLION


@st.composite
def shares(draw: st.DrawFn) -> list[int]:
    """Two to six minimum shares, some none, at most the whole together."""
    parts = draw(st.lists(st.integers(0, 10), min_size=2, max_size=6))
    whole = max(1, sum(parts)) * draw(st.integers(10, 20))
    return [10 * MILLION * part // whole for part in parts]


@settings(max_examples=150, deadline=None)
@given(
    shares(),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 1000)), min_size=1, max_size=250),
    st.booleans(),
)
def test_f2_holds_over_every_interval_in_which_a_band_waits(written, steps, leave):
    """Whatever comes and goes: service_k >= m_k S - (K + 1) c_max."""
    played = Played(bands_of(written))
    for which, cost in steps:
        queue = played.queues[which % len(played.queues)]
        queue.depth = 1 if not leave or cost % 3 else 0
        if not queue.depth:
            queue.deficit = min(queue.deficit, 0)  # as Queue.drop does
        played.dispatch(cost, left=cost % 2)
    played.check()


@pytest.mark.parametrize("seed", range(3))
def test_f2_holds_over_a_long_run_and_the_rest_goes_to_the_highest(seed):
    random_ = random.Random(seed)
    written = [0, 250_000, 100_000, 50_000]
    queues = bands_of(written)
    for queue in queues:
        queue.depth = 1
    played = Played(queues)
    for _ in range(15_000):
        played.dispatch(random_.randint(1, 60_000), left=1)
    played.check()
    total = sum(played.service.values())
    found = [played.service[queue.band] / total for queue in queues]
    assert found == pytest.approx([0.6, 0.25, 0.1, 0.05], abs=0.001)


def test_an_owed_band_does_not_take_from_another_ones_share():
    """The witness for crediting every band that waits: crediting only those below the one that was served
    leaves the middle band 6.5 % of its 10, and the lowest 28.6 % of its 40 (ADR 0090)."""
    queues = bands_of([0, 100_000, 400_000])
    for queue in queues:
        queue.depth = 1
    played = Played(queues)
    for _ in range(5000):
        played.dispatch(100, left=1)
    assert [played.service[queue.band] for queue in queues[1:]] == pytest.approx([50_000, 200_000], abs=200)


def test_a_band_that_was_idle_has_no_credit_and_being_highest_costs_nothing():
    high, low = queues = bands_of([0, 500_000])
    high.depth = 1
    for _ in range(100):
        assert next_band(queues, set()) is high
        served(queues, high, 1000)
    low.depth = 1
    assert low.deficit == 0, "no credit from idleness"
    high.depth = 0
    for _ in range(100):
        assert next_band(queues, set()) is low
        served(queues, low, 1000)
    high.depth = 1
    assert low.deficit >= 0, "what nobody else wanted is not held against its minimum"


def test_a_correction_counts_as_if_it_had_been_said_at_once():
    high, low = queues = bands_of([0, 500_000])
    high.depth = low.depth = 1
    served(queues, high, 1000)
    owed = low.deficit
    corrected(queues, high, -1000, owed=False)
    assert (owed, low.deficit) == (500 * MILLION, 0)
    corrected(queues, high, -1000, owed=False)
    assert low.deficit == 0, "nobody owes for what another did not use"
    served(queues, high, 1000)
    assert served(queues, low, 2000)
    corrected(queues, low, 400, owed=True)
    assert low.deficit == (500 + 1000 - 2000 + 200 - 400) * MILLION


def share_of_flex(minimum: float) -> tuple[float, VirtualFleet]:
    """Of what a pool serves while priority alone could fill it twice over."""
    policy = a_policy().model().pool(replicas=2, sequences=64)
    policy.tier("priority", band=300, max_wait=10_000 * SECOND)
    policy.tier("flex", band=100, max_wait=10_000 * SECOND, minimum_share=minimum)
    policy.tenant("acme").tenant("globex").route()
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 20)
    for number in range(1200):
        fleet.request("acme", tier="priority", at=number * 25_000, max_tokens=20)
        fleet.request("globex", tier="flex", at=number * 25_000, max_tokens=20)
    fleet.run(until=30 * SECOND)
    costs = {"priority": 0, "flex": 0}
    for sent in fleet.sent:
        if sent.sent_at < START + SECOND:
            continue  # so far nobody had to wait
        costs[sent.request.tier] += sent.ticket.charged_cost
    return costs["flex"] / sum(costs.values()), fleet


def test_a_starved_tier_keeps_its_minimum_share_and_no_more():
    starved, _ = share_of_flex(0)
    assert starved == 0
    share, fleet = share_of_flex(0.1)
    assert share == pytest.approx(0.1, abs=0.005)
    told = [one.decision for one in fleet.sent if one.request.tier == "flex" and one.sent_at > START + SECOND]
    assert all("R14" in {step.rule for step in decision.steps} for decision in told)


def test_priority_keeps_its_objective_while_it_asks_for_no_more_than_the_rest():
    """Demand of priority 75 %, flex without end, minimum share 10 %: priority's first bytes stay early."""
    policy = a_policy().model().pool(replicas=2, sequences=64)
    policy.tier("priority", band=300).tier("flex", band=100, max_wait=10_000 * SECOND, minimum_share=0.1)
    policy.tenant("acme").tenant("globex").route()
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 1)
    random_ = random.Random(2)
    at = 0
    while at < 40 * SECOND:
        at += random_.randint(1, 133_300)  # 15 a second; the pool serves 20
        fleet.request("acme", tier="priority", at=at, max_tokens=1)
    for number in range(800):
        fleet.request("globex", tier="flex", at=number * 50_000, max_tokens=1)
    fleet.run(until=40 * SECOND)
    waits = sorted(
        one.ttft
        for one in fleet.served.values()
        if one.decision.tier == "priority" and one.first_byte is not None
    )
    assert waits[len(waits) * 95 // 100] < 1 * SECOND
    flex = sum(sent.request.tier == "flex" for sent in fleet.sent)
    assert flex / len(fleet.sent) >= 0.1


def test_what_a_lower_band_parks_at_a_replica_is_not_ahead_of_a_higher_one():
    """Two replicas, and a lower band that calls one of them home: the higher takes both."""
    policy = a_policy().model().pool(replicas=2).tier("low", band=100).tier("high", band=300)
    fleet = VirtualFleet(policy.tenant().route().load(), output_of=lambda request: 1)
    for _ in range(40):
        fleet.request(tier="low", prompt=2000)
    for _ in range(20):
        fleet.request(at=1000, tier="high", prompt=2000)
    fleet.run()
    after = [sent for sent in fleet.sent if sent.sent_at > START + 1000]
    high = [sent for sent in after if sent.request.tier == "high"]
    assert [sent.request.tier for sent in after][:20] == ["high"] * 20
    assert {sent.replica for sent in high[:2]} == {"http://p-0", "http://p-1"}
