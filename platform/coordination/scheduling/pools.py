"""What does a gateway know of one pool: its replicas, who waits for them, what their caches hold?"""

from __future__ import annotations

from bisect import bisect_left, insort
from heapq import heappop

from coordination.capacity import CHUNK_TOKENS
from coordination.program.index import Pool
from coordination.program.records import MILLION, Micros, Ppm
from coordination.scheduling.caps import enter
from coordination.scheduling.decisions import WAITING, Ticket
from coordination.scheduling.estimates import Throughput
from coordination.scheduling.prefix_index import PrefixIndex
from coordination.scheduling.replicas import (
    BIT_MASK,
    BIT_SPACE,
    GATE_US,
    RECENT_SLICE,
    RECENT_SLICES,
    RECENT_SPACE,
    STALE_AFTER,
    Replica,
    load_in,
)
from coordination.scheduling.sessions import Sessions
from coordination.scheduling.waiting import LANE_BAND, Queue


class PoolState:
    """Mutable, owned by ``State``; kept by name across activations (R3)."""

    __slots__ = (
        "_moved",
        "_next_slice",
        "_oldest_report",
        "_order",
        "by_url",
        "delayed",
        "draining",
        "found",
        "index",
        "lane",
        "open_mask",
        "ordinary_kv",
        "ordinary_sequences",
        "pool",
        "queues",
        "replicas",
        "sessions",
        "step_us",
        "throughput",
        "troubled",
        "turn",
        "usable_mask",
        "waiting",
        "waking",
    )

    def __init__(self, pool: Pool, now: Micros) -> None:
        self.pool = pool
        self.found: tuple[str, ...] | None = None
        """What the pool's name stands for; ``None``: what the policy plans with (nobody asks a DNS here)."""
        self.replicas: dict[int, Replica] = {}
        self.by_url: dict[str, Replica] = {}
        self.index = PrefixIndex()
        self.lane = Queue(LANE_BAND)
        self.queues: list[Queue] = [self.lane]
        """The lane, then the bands from the highest down (R13)."""
        self.waiting = 0
        self.waking: Micros = 0
        """Until when its requests are held because replicas are on their way (``wake``)."""
        self.draining = False
        """It takes nothing new, by an override."""
        self.delayed: list[tuple[Micros, int, Ticket]] = []
        """Lane requests that wait to conform (overflow ``queue`` of R8)."""
        self.open_mask = 0
        self.usable_mask = 0
        self.troubled: set[int] = set()
        """Bits of replicas that are not healthy."""
        self.ordinary_sequences = 0
        """In flight outside the lane: what R19 holds back from."""
        self.ordinary_kv = 0
        self.sessions = Sessions()
        self.turn = 0
        """For the round_robin strategy."""
        per_replica = max(
            pool.input_per_minute * pool.model.uncached_ppm, pool.output_per_minute * pool.model.output_ppm
        )
        self.throughput = Throughput(per_replica * max(1, len(pool.replicas)) // 60, now)
        self._order: list[int] = []
        """Keys of all replicas, sorted: (load, recent work, bit) in one integer. With hundreds of
        replicas moving an entry of a sorted list is quicker than any heap that has to be cleaned."""
        self._moved: set[Replica] = set()
        self._next_slice = (now // RECENT_SLICE + 1) * RECENT_SLICE
        self._oldest_report: Micros | None = None
        self.resize(pool, now)

    def resize(self, pool: Pool, now: Micros) -> None:
        """Take over a (new) list of replicas: those that stay keep their counts and their cache."""
        self.pool = pool
        self.step_us = self.prefill_us(CHUNK_TOKENS)
        """What an engine prefills in one step, at most."""
        for queue in self.queues:
            queue.minimum = pool.minimum_shares.get(queue.band, 0)
            if not queue.minimum:
                queue.deficit = 0
        members = pool.replicas if self.found is None or pool.dns is None else self.found
        staying = frozenset(members)
        for url in [url for url in self.by_url if url not in staying]:
            self.retire(self.by_url[url])
        free = (bit for bit in range(len(self.replicas) + len(members)) if bit not in self.replicas)
        for url in members:
            if url not in self.by_url:
                bit = next(free)
                self.by_url[url] = self.replicas[bit] = Replica(url, bit)
        for bit, replica in self.replicas.items():
            self.index.add_replica(bit, pool.kv_tokens)
            self.refresh(replica)
        self.refresh_health(now)

    def retire(self, replica: Replica) -> None:
        """The policy no longer names it. Requests in flight there end as they may."""
        for queue in self.queues:
            queue.evict_homes(replica)
        self.index.remove_replica(replica.bit)
        self.troubled.discard(replica.bit)
        self.open_mask &= ~replica.mask
        self.usable_mask &= ~replica.mask
        replica.retired = True
        if replica.key >= 0:
            del self._order[bisect_left(self._order, replica.key)]
        replica.key = -1
        del self.replicas[replica.bit], self.by_url[replica.url]

    def queue(self, band: int) -> Queue:
        for queue in self.queues:
            if queue.band == band:
                return queue
        made = Queue(band)
        made.minimum = self.pool.minimum_shares.get(band, 0)
        self.queues.append(made)
        self.queues.sort(key=lambda queue: -queue.band)
        return made

    @property
    def held_bytes(self) -> int:
        """Of the gateway's memory, by requests that wait for this pool."""
        return sum(queue.bytes for queue in self.queues)

    def lowest(self) -> Queue | None:
        """The lowest band in which a request waits; the lane is none."""
        return next((one for one in reversed(self.queues) if one.depth and not one.is_lane), None)

    def holds_until(self, deadline: Micros | None, now: Micros) -> Micros:
        """Until when a request may be held for a pool that wakes; 0 for one that does not."""
        if self.waking <= now:
            return 0
        return self.waking if deadline is None else min(self.waking, deadline)

    def below(self, queue: Queue) -> list[dict[int, int]]:
        """What waits at home in lower bands, by replica: it is not ahead of anything in ``queue``."""
        found: list[dict[int, int]] = []
        for one in reversed(self.queues):
            if one is queue:
                break
            if one.parked:
                found.append(one.parked)
        return found

    def prefill_us(self, tokens: int) -> Micros:
        """Prefill time of uncached tokens on an idle replica, at the pool's stated rate."""
        return tokens * self.pool.prefill_ns_per_token // 1000

    # The gate and the load order (R19, R21)

    def refresh(self, replica: Replica) -> None:
        """After any change of a replica's counts: is it open now? Its place in the load order is
        looked up again when somebody asks for that order."""
        if replica.retired:
            return
        spec = self.pool
        if (
            (replica.backlog_us <= GATE_US or (replica.begun and replica.backlog_us <= self.step_us))
            and replica.sequences + replica.foreign_sequences < spec.sequences
            and replica.kv_tokens + replica.foreign_kv_tokens < spec.kv_tokens
        ):
            self.open_mask |= replica.mask
        else:
            self.open_mask &= ~replica.mask
        self._moved.add(replica)

    def moved(self, replica: Replica) -> None:
        """What is parked at a replica has changed, or what it computed lately."""
        self._moved.add(replica)

    def _reorder(self) -> None:
        order = self._order
        for replica in self._moved:
            if replica.retired:
                continue
            load = replica.backlog_us + replica.parked_us
            key = ((load << RECENT_SPACE | replica.recent) << BIT_SPACE) | replica.bit
            if key != replica.key:
                if replica.key >= 0:
                    del order[bisect_left(order, replica.key)]
                replica.key = key
                insort(order, key)
        self._moved.clear()

    def least_loaded(self, among: int, count: int) -> list[Replica]:
        """Up to ``count`` replicas of a mask with the least prefill ahead, then least recent work."""
        if self._moved:
            self._reorder()
        replicas = self.replicas
        if among.bit_count() == len(self._order):
            return [replicas[key & BIT_MASK] for key in self._order[:count]]
        found: list[Replica] = []
        for key in self._order:
            replica = replicas[key & BIT_MASK]
            if replica.mask & among:
                found.append(replica)
                if len(found) == count:
                    break
        return found

    def least_ahead(self, among: int, below: list[dict[int, int]]) -> list[Replica]:
        """As ``least_loaded`` of four, without what waits below: looks at every replica of the mask."""
        found = [replica for replica in self.replicas.values() if replica.mask & among]
        found.sort(key=lambda one: (one.ahead(below), one.recent, one.bit))
        return found[:4]

    def busiest(self, among: int, below: list[dict[int, int]]) -> Replica | None:
        """Of those of a mask that some request calls home, the one with the most prefill ahead of what does
        not wait ``below``; of equals the first by bit."""
        if below:
            homes = (one for one in self.replicas.values() if one.mask & among and one.parked)
            return max(homes, key=lambda one: (one.ahead(below), -one.bit), default=None)
        if self._moved:
            self._reorder()
        found: Replica | None = None
        load = 0
        for key in reversed(self._order):
            if found is not None and load_in(key) < load:
                break
            replica = self.replicas[key & BIT_MASK]
            if replica.mask & among and replica.parked and (found is None or replica.bit < found.bit):
                found, load = replica, load_in(key)
        return found

    def least_open(self, among: int) -> list[Replica]:
        """The two least loaded of a mask that usually has few bits: what is open while some wait."""
        if among.bit_count() > 4:
            return self.least_loaded(among, 2)
        found: list[Replica] = []
        while among:
            bit = among & -among
            among ^= bit
            found.append(self.replicas[bit.bit_length() - 1])
        return found

    # What the passing of time changes

    def advance(self, now: Micros) -> None:
        """Forget stale reports, let ejected replicas be probed, slide the last minute, free the delayed."""
        if self.troubled:
            self.refresh_health(now)
        if self._oldest_report is not None and now - self._oldest_report > STALE_AFTER:
            self._drop_stale(now)
        if now >= self._next_slice:
            self._slide(now)
        while self.delayed and self.delayed[0][0] <= now:
            ticket = heappop(self.delayed)[2]
            if ticket.status == WAITING and ticket.leaf is not None:
                if ticket.caps:
                    enter(ticket)
                    continue
                self.waiting += 1
                ticket.delayed = False
                (ticket.queue or self.lane).append(ticket)

    def refresh_health(self, now: Micros) -> None:
        """Who may be chosen: the usable, or, when there is none, all that are not cordoned (panic). Of a pool
        that is drained none."""
        usable = panic = 0
        for replica in self.replicas.values():
            health = replica.health
            if health.usable(now):
                usable |= replica.mask
            elif health.state != "cordoned":
                panic |= replica.mask
            if health.state == "healthy":
                self.troubled.discard(replica.bit)
            else:
                self.troubled.add(replica.bit)
        if self.draining:
            usable = panic = 0
        lost = self.usable_mask & ~(usable or panic)
        self.usable_mask = usable or panic
        for replica in self.replicas.values():
            if replica.mask & lost and replica.parked:
                for queue in self.queues:
                    queue.evict_homes(replica)
                self.refresh(replica)

    @property
    def healthy(self) -> bool:
        """Has it a replica that is not known to be in trouble?"""
        return len(self.troubled) < len(self.replicas)

    def left_of(self, reserved_ppm: Ppm) -> Ppm:
        """How much of what is reserved of the whole pool its healthy replicas can give (R8)."""
        planned = len(self.pool.replicas)
        healthy = len(self.replicas) - len(self.troubled)
        if healthy >= planned or not reserved_ppm:
            return MILLION
        healthy_ppm = healthy * MILLION // planned
        return min(MILLION, healthy_ppm * MILLION // reserved_ppm)

    def observed(self, replica: Replica, now: Micros) -> None:
        self._oldest_report = now if self._oldest_report is None else min(now, self._oldest_report)
        self.refresh(replica)

    def computed(self, replica: Replica, tokens: int) -> None:
        """A replica is about to compute ``tokens``: the tie-break of R21. Fewer than none take back what was
        said too much before, which is never more than what is still counted."""
        replica.recent = max(0, replica.recent + tokens)
        slices = replica.recent_slices
        slices[-1] += tokens
        if slices[-1] < 0:  # it was said in an earlier slice, or in one that is gone
            for at in range(RECENT_SLICES - 1, 0, -1):
                slices[at - 1] += min(0, slices[at])
                slices[at] = max(0, slices[at])
            slices[0] = max(0, slices[0])
        self._moved.add(replica)

    def _drop_stale(self, now: Micros) -> None:
        oldest: Micros | None = None
        for replica in self.replicas.values():
            report = replica.report
            if report is None:
                continue
            if now - report.at > STALE_AFTER:
                replica.forget_report()
                self.refresh(replica)
            elif oldest is None or report.at < oldest:
                oldest = report.at
        self._oldest_report = oldest

    def _slide(self, now: Micros) -> None:
        steps = min(RECENT_SLICES, (now - self._next_slice) // RECENT_SLICE + 1)
        for replica in self.replicas.values():
            slices = replica.recent_slices
            replica.recent_slices = [*slices[steps:], *([0] * steps)]
            replica.recent = sum(replica.recent_slices)
            self.refresh(replica)
        self._next_slice = (now // RECENT_SLICE + 1) * RECENT_SLICE


def residual(pool: Pool, uncached: int, output: int) -> Micros:
    """In how long a request that starts now will probably be over: how soon its place is back (R19)."""
    return uncached * pool.prefill_ns_per_token // 1000 + output * pool.decode_us_per_token
