"""How much lies ahead in an engine: G, and one request for a step that would begin with nothing (R19)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.capacity import CHUNK_TOKENS
from coordination.scheduling.pools import PoolState
from coordination.scheduling.replicas import GATE_US, Replica
from tests.support.programs import one_pool
from tests.support.virtual_fleet import VirtualFleet

TOKENS_IN_G = GATE_US // 100
"""The pools of these tests prefill a token in 100 us."""


def waiting_at_once(*prompts: int, tenants: tuple[str, ...] = ("acme",)) -> VirtualFleet:
    fleet = VirtualFleet(one_pool(*tenants, replicas=1).load())
    for number, prompt in enumerate(prompts):
        fleet.request(tenants[number % len(tenants)], prompt=prompt)
    return fleet


def only(fleet: VirtualFleet) -> PoolState:
    return fleet.state.pools["p"]


def test_while_an_engine_computes_a_prompt_longer_than_g_one_more_is_there_for_its_next_step():
    fleet = waiting_at_once(*[TOKENS_IN_G + 500] * 4)
    fleet.run(until=1)
    assert len(fleet.sent) == 2, "one it computes, one ahead"
    fleet.run(until=GATE_US + 50_000)
    assert [one.first_byte is not None for one in fleet.served.values()] == [True, False, False, False]
    assert len(fleet.sent) == 3, "the second is begun, so the third is ahead"


def test_nothing_is_sent_ahead_of_a_prompt_that_takes_several_steps():
    """Its last step begins late enough: what waits here is still free to go elsewhere, or behind others."""
    fleet = waiting_at_once(CHUNK_TOKENS + 1, 10)
    fleet.run(until=1)
    assert len(fleet.sent) == 1
    fleet.run()
    first, second = fleet.served.values()
    assert second.dispatched == first.first_byte


def test_what_an_engine_was_sent_since_its_last_first_byte_counts_in_full():
    """Short prompts fill G, and no more: there is enough for the next step."""
    fleet = waiting_at_once(*[600] * 12)
    fleet.run(until=1)
    assert only(fleet).replicas[0].backlog_us == 5 * 60_000, "the first beyond G closes it"


def test_an_engine_that_takes_prompts_one_by_one_is_not_sent_more_by_each_first_byte():
    """Beyond G one request a round: not before all it found at its last choice have had their first byte."""
    fleet = waiting_at_once(*[500] * 5, 2000, *[500] * 5)
    sent = []
    for first_bytes in range(6):
        fleet.run(until=first_bytes * 50_000 + 1)
        assert sum(one.first_byte is not None for one in fleet.served.values()) == first_bytes
        sent.append(len(fleet.sent))
    assert sent == [6, 7, 7, 7, 7, 8]


@given(st.lists(st.integers(0, 9), max_size=60))
def test_whatever_leaves_in_whatever_order_only_what_is_in_flight_is_awaited(choices):
    """Or a replica would be taken for busy for good. 0 to 5 send one, the others take one out."""
    replica = Replica("http://p-0", 0)
    in_flight: list[object] = []
    for choice in choices:
        if choice < 6 or not in_flight:
            replica.newest = object()
            replica.awaited = replica.awaited or replica.newest
            in_flight.append(replica.newest)
        else:
            replica.prefilled(in_flight.pop(choice % len(in_flight)))
        assert replica.newest in in_flight or replica.newest is replica.awaited is None
        assert replica.awaited in in_flight or replica.awaited is None
    for ticket in in_flight:
        replica.prefilled(ticket)
    assert replica.awaited is replica.newest is None


class Ahead:
    """Reckons along what is in flight on the only replica, event by event."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.sent = self.first_bytes = self.in_flight = 0

    def __call__(self, fleet: VirtualFleet) -> None:
        begun = [sent for sent in fleet.sent if fleet.served[sent.request.request_id].first_byte is not None]
        self.in_flight -= sum(sent.ticket.on_replica_us for sent in begun[self.first_bytes :])
        beyond = 0
        for sent in fleet.sent[self.sent :]:
            beyond += self.in_flight > GATE_US
            self.in_flight += sent.ticket.on_replica_us
        self.sent, self.first_bytes = len(fleet.sent), len(begun)
        assert self.in_flight == only(fleet).replicas[0].backlog_us
        assert self.in_flight <= self.most
        assert beyond <= 1, "beyond G a first byte lets in one request"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(10, 2 * CHUNK_TOKENS), min_size=1, max_size=25), st.integers(1, 3))
def test_in_flight_is_never_more_than_g_or_a_step_and_one_request(prompts, tenants):
    fleet = waiting_at_once(*prompts, tenants=tuple("abc"[:tenants]))
    fleet.watch = Ahead(max(GATE_US, only(fleet).step_us) + max(prompts) * 100)
    fleet.run()
    assert len(fleet.sent) == len(prompts)
    assert (only(fleet).replicas[0].backlog_us, only(fleet).waiting) == (0, 0)
