"""Whatever is said in whatever order, and whoever dies: is each request decided once, and all given back?

Two workers' sides and the parent's, with what they say to each other held in queues that the test delivers
from as it likes, encoded as on the wire. The rules are the real ones.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule
from msgspec.structs import replace as changed

from coordination.program.index import load
from coordination.program.records import HedgingRecord, LimitRecord
from coordination.scheduling import Classified
from coordination.scheduling.values import Request, Usage
from gateway.activation import Active
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.credentials import Credentials
from gateway.explanations import Explanation, Explanations
from gateway.metrics import Metrics
from gateway.mirrors import Mirrors
from gateway.telling import NobodyToTell
from gateway.upstream.pool import Replicas
from gateway.workers.desk import Client, Desk
from gateway.workers.messages import (
    LENGTH,
    Ask,
    Frames,
    Hedged,
    Over,
    Placed,
    Spent,
    Switched,
    encode,
    from_parent,
    from_worker,
)
from gateway.workers.remote import Remote
from tests.gateway import policy

URLS = ("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3", "http://127.0.0.1:4")
LIMIT = 12
"""Requests of acme a minute."""
AT_ONCE = 4
SEQUENCES = 1
"""At once on each replica: the rest waits."""


@cache
def active(limit=LIMIT):
    records = policy.records(URLS, sequences=SEQUENCES)
    quotas = (
        policy.quota(
            "acme-all", "acme", (LimitRecord(of="requests", per="1m", limit=limit),), concurrency=AT_ONCE
        ),
    )
    (route,) = records.routes
    routes = (changed(route, hedging=HedgingRecord(after=1, most_ppm=1_000_000)),)
    return Active(
        f"limit-{limit}",
        "dev",
        load(changed(records, quotas=quotas, routes=routes)),
        policy.directory(),
        False,
        None,
    )


class Time:
    """Stands still unless told."""

    def __init__(self):
        self.at = 1_700_000_000_000_000
        self.clock = PolicyClock(0, lambda: self.at * 1000)


async def parts(serving, clock):
    """What needs a loop to be made, and none to be used."""
    coordinator = Coordinator(serving, clock, seed=1, salt=7)
    return coordinator, Mirrors(coordinator, Replicas(), Credentials(), clock)


class Record:
    """Accounts that check what a journal relies on."""

    def __init__(self):
        self.open = set()
        self.ended = {}

    def takes(self):
        return True

    def begin(self, explanation, dispatch, now):
        key = (explanation.request_id, dispatch.attempt)
        assert key not in self.open
        assert key not in self.ended
        assert explanation.key_id
        self.open.add(key)
        return True

    def passed(self, dispatch, output):
        assert (dispatch.request.request_id, dispatch.attempt) in self.open

    def _end(self, explanation, dispatch, how):
        key = (explanation.request_id, dispatch.attempt)
        self.open.remove(key)
        self.ended[key] = how

    def settled(self, explanation, dispatch, charge, outcome, counted_by, now):
        self._end(explanation, dispatch, outcome)

    def failed(self, explanation, dispatch, sent, *, dropped=False):
        self._end(explanation, dispatch, "failed")

    def interrupted(self, explanation, dispatch, charge):
        self._end(explanation, dispatch, "interrupted")


class Queue:
    """What one side has said and the other has not heard, as bytes; it goes over in pieces of any size."""

    def __init__(self, decoder):
        self.bytes: deque[bytes] = deque()
        self.frames = Frames()
        self.decoder = decoder

    def send(self, message):
        body = encode(message)
        self.bytes.append(LENGTH.pack(len(body)) + body)

    def flush(self):
        pass

    def deliver(self, cut):
        """The next message, in two pieces cut at ``cut``."""
        data = self.bytes.popleft()
        cut %= len(data)
        frames = [*self.frames.feed(data[:cut]), *self.frames.feed(data[cut:])]
        return [self.decoder.decode(frame) for frame in frames]


class Waiting:
    """What a worker's exchange is to ``Remote``."""

    def __init__(self, side, explanation, request):
        self.side = side
        self.explanation = explanation
        self.request = request
        self.asked = True
        """It waits to hear of a place or a refusal, once."""
        self.dispatch = None
        self.second = None
        """Of another attempt, while two are made."""
        self.answered = False

    def placed(self, dispatch):
        assert self.asked
        assert self.second is None
        self.asked = False
        self.dispatch = dispatch
        assert self.side.remote.watch(dispatch) == 1
        assert self.side.remote.begin(self.explanation, dispatch, 1)
        self.explanation.sent = 1

    def hedged(self, dispatch):
        assert not self.asked
        if self.answered or self.second is not None:
            self.side.remote.lose(dispatch, "unsent")
        else:
            self.second = dispatch

    def alone(self, reason):
        """Its first attempt goes on, or ends, alone."""
        if self.second is not None:
            self.side.remote.lose(self.second, reason)
            self.second = None

    def refused(self, decision):
        assert self.asked
        self.asked = False
        self.explanation.decision = decision
        self.end("refused", 429)

    def end(self, outcome, status):
        self.explanation.outcome, self.explanation.status = outcome, status
        self.explanation.finished = self.side.remote_clock.now()
        self.side.remote.over(self.explanation)
        self.side.waiting.discard(self)


class Side:
    """One worker and the two queues between it and the desk."""

    def __init__(self, desk, policy_now):
        self.remote_clock = desk.clock
        self.up, self.down = Queue(from_worker), Queue(from_parent)
        self.remote = Remote(policy_now, 7, self.up)
        self.client = Client(self.down, desk.policy)
        self.waiting = set()
        self.number = desk.policy


class Protocol(RuleBasedStateMachine):
    requests = Bundle("requests")

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.time = Time()
        self.clock = self.time.clock
        self.record = Record()
        self.now = active()
        self.next = None
        self.count = 0

        self.coordinator, mirrors = self.loop.run_until_complete(parts(self.now, self.clock))
        self.half_decided: list[str] = []
        decide = self.coordinator.admit

        def admit(waiter, request, now):
            if waiter.explanation.bundle != self.coordinator.active.digest:
                self.half_decided.append(request.request_id)
            return decide(waiter, request, now)

        self.coordinator.admit = admit
        self.desk = Desk(
            self.coordinator,
            self.clock,
            self.record,
            Metrics(),
            Explanations(),
            NobodyToTell(),
            mirrors,
        )
        self.sides = [Side(self.desk, self.now) for _ in range(2)]

    # -- what workers do -----------------------------------------------------------------------

    @rule(target=requests, which=st.integers(0, 1), tokens=st.integers(1, 400))
    def ask(self, which, tokens):
        side = self.sides[which]
        self.count += 1
        name = f"req_{self.count:026}"
        explanation = Explanation(
            name, self.clock.now(), tenant="acme", key_id="k", bundle=side.remote.active.digest
        )
        request = Request(
            name, "acme", "llama-3-8b", "standard", False, tokens, 16, [], self.clock.now(), name
        )
        assert isinstance(side.remote.classify("acme", None, "llama-3-8b"), Classified)
        made = Waiting(side, explanation, request)
        side.waiting.add(made)
        explanation.decision = side.remote.admit(made, request, self.clock.now())
        return made

    @rule(request=requests)
    def first_byte(self, request):
        if request in request.side.waiting and request.dispatch is not None and not request.answered:
            request.alone("dropped")
            request.answered = True
            request.side.remote.first_byte(request.dispatch)

    @rule(request=requests)
    def hedge(self, request):
        """Its first byte is late."""
        if request in request.side.waiting and request.dispatch is not None and not request.answered:
            assert request.side.remote.hedge(request.dispatch) is None

    @rule(request=requests)
    def overtake(self, request):
        """Its second attempt sends the first byte."""
        if request in request.side.waiting and request.second is not None:
            slow, request.dispatch, request.second = request.dispatch, request.second, None
            request.side.remote.lose(slow, "dropped")
            request.answered = True
            request.side.remote.first_byte(request.dispatch)

    @rule(request=requests, tokens=st.integers(256, 2000))
    def progress(self, request, tokens):
        if request in request.side.waiting and request.dispatch is not None:
            request.side.remote.progress(request.dispatch, tokens)

    @rule(request=requests, reason=st.sampled_from(["connect", "reset", "timeout"]))
    def fail(self, request, reason):
        if request not in request.side.waiting or request.dispatch is None or request.answered:
            return
        if request.second is not None:
            failed, request.dispatch, request.second = request.dispatch, request.second, None
            request.side.remote.lose(failed, reason)
        else:
            dispatch, request.dispatch, request.asked = request.dispatch, None, True
            request.side.remote.fail(request, dispatch, reason)

    @rule(request=consumes(requests), output=st.integers(0, 500))
    def finish(self, request, output):
        if request in request.side.waiting and request.dispatch is not None:
            request.alone("dropped")
            remote, dispatch = request.side.remote, request.dispatch
            charge = remote.settle(dispatch, Usage(10, 0, output), "completed", self.clock.now())
            remote.settled(request.explanation, dispatch, charge, "completed", "engine", self.clock.now())
            request.end("completed", 200)

    @rule(request=consumes(requests))
    def leave(self, request):
        """Its client is gone: while it waits, while its place is on its way, or while it is served."""
        if request not in request.side.waiting:
            return
        request.alone("unsent")
        remote, dispatch = request.side.remote, request.dispatch
        if dispatch is not None:
            charge = remote.settle(dispatch, Usage(10, 0, 0), "aborted", self.clock.now())
            remote.settled(request.explanation, dispatch, charge, "aborted", "gateway", self.clock.now())
        else:
            remote.cancel(request.request.request_id, "")
        request.end("aborted", 499)

    # -- what happens to what they say -----------------------------------------------------------

    @rule(which=st.integers(0, 1), cut=st.integers(0, 99))
    def deliver_up(self, which, cut):
        side = self.sides[which]
        if side.up.bytes:
            for message in side.up.deliver(cut):
                self.hear(side, message)

    @rule(which=st.integers(0, 1), cut=st.integers(0, 99))
    def deliver_down(self, which, cut):
        side = self.sides[which]
        if side.down.bytes:
            for message in side.down.deliver(cut):
                if isinstance(message, Placed | Hedged):
                    told = message.placed if isinstance(message, Hedged) else message
                    key = (told.request_id, told.attempt)
                    assert key in self.record.open or key in self.record.ended
                side.remote.hear(message)

    @rule()
    def all_arrives(self):
        while any(side.up.bytes or side.down.bytes for side in self.sides):
            for which in range(2):
                self.deliver_up(which, 7)
                self.deliver_down(which, 7)

    @rule(which=st.integers(0, 1))
    def what_one_said_arrives(self, which):
        while self.sides[which].up.bytes:
            self.deliver_up(which, 7)

    @rule(which=st.integers(0, 1))
    def what_one_is_told_arrives(self, which):
        while self.sides[which].down.bytes:
            self.deliver_down(which, 7)

    def hear(self, side, message):
        if isinstance(message, Switched):
            side.client.policy = message.policy
            if self.next is not None and all(one.client.policy == self.desk.policy + 1 for one in self.sides):
                self.coordinator.activate(self.next)
                self.now, self.next = self.next, None
                self.desk.activated(self.desk.policy + 1)
        else:
            self.desk.hear(side.client, message)

    @rule(which=st.integers(0, 1))
    def kill(self, which):
        """What it had said is heard; then it is gone, and another sits there."""
        side = self.sides[which]
        while side.up.bytes:
            self.deliver_up(which, 1)
        if self.next is not None:
            return  # a start waits until the policy has changed
        side.waiting.clear()
        self.desk.lost(side.client)
        self.sides[which] = Side(self.desk, self.now)

    @precondition(lambda self: self.next is None)
    @rule(limit=st.integers(LIMIT, LIMIT + 3))
    def change_policy(self, limit):
        self.next = active(limit)

    @precondition(lambda self: self.next is not None)
    @rule(which=st.integers(0, 1))
    def switch(self, which):
        side = self.sides[which]
        if side.number == self.desk.policy:
            side.number += 1
            side.remote.activate(self.next)
            side.up.send(Switched(side.number))

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds):
        self.time.at += seconds * 1_000_000
        self.coordinator._expire()

    # -- what holds --------------------------------------------------------------------------------

    @invariant()
    def no_more_at_once_than_allowed(self):
        assert len({request for request, _ in self.record.open}) <= AT_ONCE
        decided = [e for side in self.sides for e in side.client.errands.values() if e.decided]
        assert len(decided) <= AT_ONCE

    @invariant()
    def a_request_is_decided_under_the_policy_it_was_classified_under(self):
        assert not self.half_decided

    def teardown(self):
        if self.next is not None:
            for which in range(2):
                self.switch(which)
        for which in range(2):
            while self.sides[which].up.bytes:
                self.deliver_up(which, 3)
        for side in self.sides:
            self.desk.lost(side.client)
        assert not self.record.open
        assert self.coordinator.queue_depths().total() == 0
        (places,) = self.coordinator.levels("acme").concurrency
        assert places.used == 0
        assert not any(one.running or one.waiting for one in self.coordinator.standing("chat-a"))
        self.coordinator.close()
        self.loop.close()


Protocol.TestCase.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
TestProtocol = Protocol.TestCase


def test_long_walks_of_a_busy_gateway_end_with_nothing_left():
    """The same steps by weight: where the answers of two attempts cross, or a worker dies of many."""
    assert sum(overtaken_on_a_walk(seed) for seed in range(8)) > 3


def overtaken_on_a_walk(seed):
    """Walk; how many second attempts answered first."""
    drawn = random.Random(seed)
    machine = Protocol()
    steps = {
        "ask": 20, "finish": 8, "leave": 3, "fail": 2, "hedge": 8, "overtake": 20, "first_byte": 3,
        "progress": 2, "up": 40, "down": 40, "kill": 1, "change": 1, "switch": 4, "time": 4,
    }  # fmt: skip
    second = 0
    for step in drawn.choices(list(steps), list(steps.values()), k=1500):
        which = drawn.randrange(2)
        live = sorted(
            (one for side in machine.sides for one in side.waiting), key=lambda one: one.request.request_id
        )
        one = drawn.choice(live) if live else None
        if step == "ask" and len(live) < 6:
            machine.ask(which, drawn.randint(1, 400))
        elif step in ("up", "down"):
            deliver = machine.deliver_up if step == "up" else machine.deliver_down
            deliver(which, drawn.randrange(99))
        elif step == "kill":
            machine.kill(which)
        elif step == "change" and machine.next is None:
            machine.change_policy(LIMIT + drawn.randrange(4))
        elif step == "switch" and machine.next is not None:
            machine.switch(which)
        elif step == "time":
            machine.time_passes(drawn.randint(1, 10))
        elif one is not None and step in ("first_byte", "hedge", "overtake"):
            second += step == "overtake" and one.second is not None
            getattr(machine, step)(one)
        elif one is not None and step == "fail":
            machine.fail(one, drawn.choice(["connect", "reset", "timeout"]))
        elif one is not None and step == "progress":
            machine.progress(one, drawn.randint(256, 2000))
        elif one is not None and step == "finish":
            machine.finish(one, drawn.randint(0, 500))
        elif one is not None and step == "leave":
            machine.leave(one)
        machine.no_more_at_once_than_allowed()
        machine.a_request_is_decided_under_the_policy_it_was_classified_under()
    machine.teardown()
    assert machine.record.ended
    return second


# -- shares ----------------------------------------------------------------------------------------


def test_shares_of_one_to_three_hold_though_each_tenant_comes_to_a_worker_of_its_own():
    """Each worker by itself would see one tenant and give it everything."""
    records = policy.records(URLS, sequences=SEQUENCES)
    weights = {"acme": 1_000_000, "tight": 3_000_000}
    quotas = tuple(
        changed(policy.quota(f"{tenant}-all", tenant), weight_ppm=weight)
        for tenant, weight in weights.items()
    )
    serving = Active("b", "dev", load(changed(records, quotas=quotas)), policy.directory(), False, None)
    loop, time, record = asyncio.new_event_loop(), Time(), Record()
    clock = time.clock
    coordinator, mirrors = loop.run_until_complete(parts(serving, clock))
    desk = Desk(coordinator, clock, record, Metrics(), Explanations(), NobodyToTell(), mirrors)
    heard = {tenant: Queue(from_parent) for tenant in weights}
    clients = {tenant: Client(queue, 1) for tenant, queue in heard.items()}
    served = dict.fromkeys(weights, 0)
    drawn = random.Random(5)
    running: deque[tuple[str, Placed]] = deque()
    count = 0

    def arrive(tenant):
        nonlocal count
        count += 1
        name = f"req_{count:026}"
        asker = Explanation(name, clock.now(), tenant=tenant, key_id="k")
        queue = Queue(from_worker)
        remote = Remote(serving, 7, queue)
        request = Request(
            name, tenant, "llama-3-8b", "standard", False, drawn.randint(50, 400), 16, [], clock.now(), name
        )
        remote.admit(Waiting(None, asker, request), request, clock.now())
        (ask,) = queue.deliver(1)
        assert isinstance(ask, Ask)
        desk.hear(clients[tenant], ask)

    def look():
        for tenant, queue in heard.items():
            while queue.bytes:
                (message,) = queue.deliver(1)
                assert isinstance(message, Placed), message
                running.append((tenant, message))

    for tenant in weights:
        for _ in range(20):
            arrive(tenant)
    look()
    for _ in range(1200):
        time.at += 1000
        tenant, placed = running.popleft()
        uncached = placed.held[0]
        served[tenant] += uncached
        desk.hear(clients[tenant], over(placed.request_id, uncached, clock.now()))
        arrive(tenant)
        look()
    assert abs(served["tight"] / sum(served.values()) - 0.75) < 0.02
    coordinator.close()
    loop.close()


def over(request_id, uncached, now):
    side = Queue(from_worker)
    spent = Spent(1, "completed", "completed", "engine", uncached, 0, 16, 0, 0)
    side.send(Over(request_id, "completed", 200, None, "", now, now, now, spent))
    return side.deliver(1)[0]
