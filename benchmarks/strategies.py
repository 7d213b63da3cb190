"""How do other systems choose a replica? Their published rules on our arrivals and engines, for comparison.

Each strategy chooses at once, when a request arrives: nothing waits outside the engines. All see the truth
without delay (outstanding requests, uncached prompt tokens in the queue, blocks believed to be cached),
which flatters them: their systems work from scraped or predicted state. What a published rule leaves open
is filled in plainly, and each docstring gives the constants.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import ceil

import xxhash

from coordination.capacity import CHUNK_TOKENS, prefill_floor
from coordination.scheduling.prefix_index import TOKENS_PER_BLOCK, PrefixIndex
from coordination.simulator import Arrival
from coordination.simulator.replica import EngineLimits, Replica, Sequence
from coordination.sketch import Sketch
from coordination.traces import BLOCK_TOKENS

MICROS = 1e6


class Router:
    """What a strategy may look at, and the loop that feeds the engines."""

    def __init__(self, replicas: int, limits: EngineLimits, seed: int) -> None:
        self.replicas = [Replica(limits, name=str(n)) for n in range(replicas)]
        self.everyone = (1 << replicas) - 1
        self.draw = random.Random(seed)
        self.index = PrefixIndex()
        blocks = (limits.kv_tokens + limits.host_tokens) // BLOCK_TOKENS
        for bit in range(replicas):
            self.index.add_replica(bit, blocks * TOKENS_PER_BLOCK)
        self.queued = [0] * replicas
        """Uncached prompt tokens sent and not yet prefilled."""
        self.turn = count()
        self.seconds_per_token = prefill_floor(limits.profile, CHUNK_TOKENS) / CHUNK_TOKENS
        self.sessions: dict[int, int] = {}
        self.ttft = Sketch()
        self.requests = 0

    def depth(self, arrival: Arrival, replica: int) -> int:
        return self.index.depth(arrival.blocks, replica)

    def uncached(self, arrival: Arrival, replica: int) -> int:
        return arrival.prompt_tokens - min(
            arrival.prompt_tokens - 1, self.depth(arrival, replica) * BLOCK_TOKENS
        )

    def best_match(self, arrival: Arrival) -> tuple[int, float]:
        """(replica, matched part of the prompt); among equals the least queued."""
        found = self.index.match(arrival.blocks, self.everyone, 1)
        if not found:
            return self.least_queued(), 0.0
        depth, mask = found[0]
        among = [n for n in range(len(self.replicas)) if mask >> n & 1]
        return min(among, key=lambda n: (self.queued[n], n)), depth * BLOCK_TOKENS / arrival.prompt_tokens

    def least_queued(self) -> int:
        return min(range(len(self.replicas)), key=lambda n: (self.queued[n], self.replicas[n].outstanding, n))

    def least_outstanding(self) -> int:
        return min(range(len(self.replicas)), key=lambda n: (self.replicas[n].outstanding, n))

    def wait(self, arrival: Arrival, replica: int) -> float:
        """Estimated seconds to the first token: the queue, and the request's own uncached part."""
        return (self.queued[replica] + self.uncached(arrival, replica)) * self.seconds_per_token

    def run(self, arrivals: list[Arrival], choose: Strategy) -> Outcome:
        """All arrivals to their end."""
        events: list[tuple[int, int, int, int]] = []
        order = count()

        def plan(number: int) -> None:
            replica = self.replicas[number]
            if replica.next_at is not None:
                heappush(events, (ceil(replica.next_at), next(order), number, replica.version))

        waiting = iter(arrivals)
        arrival = next(waiting, None)
        while arrival is not None or events:
            if arrival is not None and (not events or arrival.at_us <= events[0][0]):
                number = choose(self, arrival)
                uncached = self.uncached(arrival, number)
                self.index.insert(arrival.blocks, number)
                self.queued[number] += uncached
                replica, version = self.replicas[number], self.replicas[number].version
                owner = (arrival.at_us, number, uncached)
                sequence = Sequence(arrival.prompt_tokens, arrival.output_tokens, list(arrival.blocks), owner)
                replica.submit(sequence, arrival.at_us)
                if replica.version != version:
                    plan(number)
                self.requests += 1
                arrival = next(waiting, None)
                continue
            at, _, number, version = heappop(events)
            replica = self.replicas[number]
            if version != replica.version:
                continue
            replica.complete()
            for sequence in replica.firsts:
                came, number, uncached = sequence.owner
                self.queued[number] -= uncached
                self.ttft.add(at - came)
            plan(number)
        return Outcome.of(self.replicas, self.ttft)


Strategy = Callable[[Router, Arrival], int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table."""

    token_hit: float
    computed_imbalance: float
    mean: float
    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, replicas: list[Replica], ttft: Sketch) -> Outcome:
        computed = [one.computed_tokens for one in replicas]
        offered = sum(one.input_tokens for one in replicas)
        told = [(ttft.percentile(percent) or 0.0) / MICROS for percent in (50, 90, 99)]
        return cls(
            1 - sum(computed) / offered,
            max(computed) * len(computed) / sum(computed),
            (ttft.mean or 0.0) / MICROS,
            *told,
        )


def round_robin(router: Router, _: Arrival) -> int:
    return next(router.turn) % len(router.replicas)


def drawn(router: Router, _: Arrival) -> int:
    return router.draw.randrange(len(router.replicas))


def least_outstanding(router: Router, _: Arrival) -> int:
    return router.least_outstanding()


def least_prefill_queue(router: Router, _: Arrival) -> int:
    return router.least_queued()


def consistent_hash(router: Router, arrival: Arrival) -> int:
    """Rendezvous hashing of the first two blocks."""
    key = b"%d,%d" % (*arrival.blocks[:2], *(-1, arrival.session)[len(arrival.blocks[:2]) :])
    return max(range(len(router.replicas)), key=lambda n: xxhash.xxh3_64_intdigest(key, n))


def session_sticky(router: Router, arrival: Arrival) -> int:
    """A session's first turn goes where the prefill queue is shortest, the others after it."""
    return router.sessions.setdefault(arrival.session, router.least_queued())


def longest_match(router: Router, arrival: Arrival) -> int:
    """Whatever the load: when all conversations share a first block, everything goes to one replica."""
    return router.best_match(arrival)[0]


def sglang(router: Router, arrival: Arrival) -> int:
    """Cache threshold 0.3; balance when outstanding differ by more than 64 and by a factor of 1.5."""
    counts = [one.outstanding for one in router.replicas]
    if max(counts) - min(counts) > 64 and max(counts) > 1.5 * min(counts):
        return router.least_outstanding()
    best, share = router.best_match(arrival)
    if share > 0.3:
        return best
    return min(range(len(counts)), key=lambda n: (router.index.held(n), counts[n], n))


def p2c(router: Router, arrival: Arrival) -> int:
    """Two choices, the best match and one at random: the earlier first token."""
    best, _ = router.best_match(arrival)
    other = router.draw.randrange(len(router.replicas))
    return min((best, other), key=lambda n: router.wait(arrival, n))


def preble(router: Router, arrival: Arrival) -> int:
    """E2: exploit the best match when more is cached than must be computed, else explore by least load;
    a holder twice as loaded as the least, and by more than a second, is not exploited."""
    best, share = router.best_match(arrival)
    least = router.least_queued()
    spare = 1 / router.seconds_per_token
    if share > 0.5 and not (
        router.queued[best] > 2 * router.queued[least] and router.queued[best] - router.queued[least] > spare
    ):
        return best
    return min(range(len(router.replicas)), key=lambda n: (router.wait(arrival, n), n))


def llmd_weighted(router: Router, arrival: Arrival) -> int:
    """Scores of prefix, queue and KV memory, weighted 3:2:2, each between 0 and 1."""
    most = max(max(one.outstanding for one in router.replicas), 1)
    blocks = max(1, len(arrival.blocks))

    def score(n: int) -> float:
        replica = router.replicas[n]
        free = 1 - replica.cache.used / replica.cache.capacity
        return 3 * router.depth(arrival, n) / blocks + 2 * (1 - replica.outstanding / most) + 2 * free

    return max(range(len(router.replicas)), key=lambda n: (score(n), -n))


def sticky_until_saturated(router: Router, arrival: Arrival) -> int:
    """The best match of at least 0.8 while its queue is within 2 s of the shortest; else by token load."""
    best, share = router.best_match(arrival)
    ahead = (router.queued[best] - min(router.queued)) * router.seconds_per_token
    if share >= 0.8 and ahead <= 2.0:
        return best
    return min(range(len(router.replicas)), key=lambda n: (router.wait(arrival, n), n))


def oracle(router: Router, arrival: Arrival) -> int:
    """The least estimated time to first token over all replicas, from exact and immediate state."""
    return min(range(len(router.replicas)), key=lambda n: (router.wait(arrival, n), n))


STRATEGIES: dict[str, Strategy] = {
    "round_robin": round_robin,
    "random": drawn,
    "least_outstanding": least_outstanding,
    "least_prefill_queue": least_prefill_queue,
    "consistent_hash": consistent_hash,
    "session_sticky": session_sticky,
    "longest_match": longest_match,
    "sglang": sglang,
    "p2c": p2c,
    "preble": preble,
    "llmd_weighted": llmd_weighted,
    "sticky_until_saturated": sticky_until_saturated,
    "oracle": oracle,
}
