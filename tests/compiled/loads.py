"""Drawn policies and traffic that leave no kind of rule out, and what is said of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from coordination.program.index import Program, load
from coordination.program.records import (
    MILLION,
    CapsRecord,
    GuardRecord,
    GuardsRecord,
    HedgingRecord,
    LoopGuardRecord,
    Placement,
    ProgramRecords,
)
from coordination.scheduling import (
    Copy,
    Dispatch,
    ReplicaReport,
    Task,
    copied,
    copy_began,
    explain,
    fared,
    mirror,
    observe,
    set_health,
)
from coordination.scheduling.scorers import SCORERS
from coordination.simulator import Arrival, Settings, Simulation, report
from tests.support import stories
from tests.support.programs import MINUTE, SECOND, a_policy
from tests.support.virtual_fleet import VirtualFleet

STRATEGIES = ("balanced", "cache_first", "latency_first", "spread", "round_robin", "least_outstanding")
ADAPTERS = ("", "", "poet", "lawyer")


# Simulations


def simulated(seed: int) -> dict[str, Any]:
    """The report of one drawn policy under drawn arrivals, with the whole story of its worst requests."""
    draw = random.Random(seed)
    program = load(_steered(stories.policy(draw).records, draw, STRATEGIES[seed % len(STRATEGIES)]))
    host = draw.choice([0, 0, 60_000])
    arrivals = _arrivals(draw, 400)
    found = Simulation(program, arrivals, Settings(seed=seed, host_tokens=host)).run()
    told = [explain(dispatch) for _, _, dispatch in sorted(found.tally.worst, reverse=True)]
    return {"report": report(found, {"seed": seed}), "worst": told}


def _steered(records: ProgramRecords, draw: random.Random, strategy: str) -> ProgramRecords:
    """With routes that place and hedge in their own ways, and memory that fills up."""
    routes = tuple(
        msgspec.structs.replace(
            route,
            placement=_placement(draw, strategy),
            timeouts=msgspec.structs.replace(
                route.timeouts, first_byte=draw.choice([SECOND // 2, 20 * SECOND]), total=30 * SECOND
            ),
            hedging=HedgingRecord(after=draw.choice([SECOND // 20, SECOND // 4]), most_ppm=MILLION // 2),
        )
        for route in records.routes
    )
    pools = tuple(
        msgspec.structs.replace(pool, capacity=msgspec.structs.replace(pool.capacity, kv_tokens=60_000))
        for pool in records.pools
    )
    return msgspec.structs.replace(records, routes=routes, pools=pools)


def _placement(draw: random.Random, strategy: str) -> Placement:
    scorers = {name: draw.randint(1, 3) * MILLION for name in draw.sample(sorted(SCORERS), 3)}
    return Placement(
        strategy=strategy,  # type: ignore[arg-type]
        release_after=draw.choice([0, SECOND // 2, SECOND]),
        scorers=draw.choice([{}, {}, scorers]),
        sticky_for=draw.choice([0, 30 * SECOND]),
        max_imbalance_ppm=draw.choice([None, None, 2 * MILLION]),
    )


def _arrivals(draw: random.Random, count: int) -> Iterator[Arrival]:
    """Bursts of conversations and runs, some with deadlines of their own, some that nobody can serve."""
    at = 0
    for _ in range(count):
        at += draw.choice([0, 1_000, 20_000, 200_000])
        session = draw.randint(1, 25)
        depth = draw.choice([0, 1, 4, 12, 40])
        yield Arrival(
            at,
            draw.choice(stories.TENANTS),
            draw.choice([None, *stories.TIERS, "scale", "nonsense"]),
            draw.choice(["m", "m", "m", "n", "nobody's"]),
            depth * 512 + draw.randint(1, 500),
            draw.choice([1, 30, 300, 2_000]),
            (1, *(session * 1_000 + number for number in range(1, depth))) if depth else (),
            session,
            draw.choice([None, 100, 900]),
            draw.choice(["", "", "run1", "run2"]),
            draw.choice([None, None, SECOND // 2, 5 * SECOND]),
        )


# Fleets that answer in virtual time


class Crowded(VirtualFleet):
    """Where what is sent is copied too, as routes say; where clients leave, and canaries fail or are slow."""

    def _send(self, sent: Dispatch) -> None:
        super()._send(sent)
        for copy in mirror(self.state, sent, self.now):
            self._at(self.now + 30_000, "copy_begins", copy)

    def _copy_begins(self, copy: Copy) -> None:
        copy_began(copy)
        self._at(self.now + 200_000, "copy_ends", copy)

    def _copy_ends(self, copy: Copy) -> None:
        copied(copy, "completed" if self.now % 3 else "timeout", self.now)
        self.dispatch_all()

    def _finished(self, sent: Dispatch) -> None:
        super()._finished(sent)
        canary, fails = sent.pool == "spare", self.seed % 2 == 0
        took = (self.now - sent.request.arrived) * (20 if canary else 1)
        fared(self.program, self.state, sent.decision, canary and fails, True, took, self.now)

    def _reported(self, what: tuple[str, ReplicaReport]) -> None:
        observe(self.program, self.state, "p", *what, self.now)

    def _well(self, what: tuple[list[str], bool]) -> None:
        for url in what[0]:
            set_health(self.program, self.state, "p", url, what[1], self.now)
        self.dispatch_all()

    def _leaves(self, request_id: str) -> None:
        self.leave(request_id)


def placed(seed: int, strategy: str) -> list[Any]:
    """Every explanation of drawn requests, some for adapters, some of sessions and runs, on replicas that
    others use too and that come and go."""
    draw = random.Random(seed)
    fleet = Crowded(_crowded(draw, strategy), seed=seed, output_of=lambda one: one.max_tokens or 9)
    urls = list(fleet.program.pools["p"].replicas)
    at = 0
    for number in range(300):
        at += draw.choice([0, 500, 20_000, 200_000])
        conversation = draw.randint(1, 9)
        blocks = (1, *(conversation * 1_000 + depth for depth in range(draw.randint(0, 40))))
        fleet.request(
            draw.choice(["a", "b", "c", "c", "d"]),
            at=at,
            prompt=len(blocks) * 128 + 7,
            blocks=draw.choice([blocks, blocks, ()]),
            max_tokens=draw.randint(1, 300),
            stickiness=f"c{conversation}",
            adapter=draw.choice(ADAPTERS),
            size=draw.choice([0, 2 << 20, 40 << 20]),
            task=draw.choice([None, Task(run="loop", call=draw.choice([0, 7, 7]))]),
        )
        then = fleet.now + at
        if draw.random() < 0.2:
            fleet._at(then, "reported", (draw.choice(urls), _reported(draw, then)))
        if draw.random() < 0.05:
            gone = draw.sample(urls, draw.randint(1, len(urls)))
            fleet._at(then, "well", (gone, False))
            fleet._at(then + SECOND, "well", (gone, True))
        if draw.random() < 0.1:
            fleet._at(then + 200_000, "leaves", f"req{number}")
    fleet.run()
    told: list[Any] = [explain(sent) for sent in fleet.sent]
    told += [explain(one.decision) for one in fleet.served.values()]
    return [*told, str(sorted(fleet.state.copies.items()))]


def _reported(draw: random.Random, at: int) -> ReplicaReport:
    return ReplicaReport(
        at=at,
        waiting=draw.randint(0, 3),
        running=draw.randint(0, 9),
        kv_used_ppm=draw.randint(0, MILLION),
        adapters=frozenset(draw.sample(["poet", "lawyer"], draw.randint(0, 2))),
        loaded=frozenset(draw.sample(["poet", "lawyer"], 1)),
    )


def _crowded(draw: random.Random, strategy: str) -> Program:
    """Little room anywhere, so that everything that keeps requests out has its say."""
    built = a_policy().model(adapters=("poet", "lawyer"))
    built.pool("p", replicas=4, sequences=9).pool("spare", replicas=2, sequences=4)
    built.tier(max_wait=20 * SECOND, max_depth=draw.choice([6, 40])).tenant("a").tenant("b").tenant("c")
    built.tenant("d").quota("few", "b", concurrency=draw.randint(3, 9))
    loops = GuardsRecord(tokens=10**7, loop_guard=LoopGuardRecord(repeats=2, then="slow"))
    built.quota("loops", "a", run=loops)
    built.quota("capped", "d", caps=CapsRecord(sequences=2))
    built.reservation("r", "a", input_per_minute=draw.randint(100_000, 900_000))
    drawn = _placement(draw, strategy)
    placing: dict[str, Any] = {
        "strategy": strategy,
        "release_after": drawn.release_after,
        "scorers": {**drawn.scorers, "adapter": 2 * MILLION} if drawn.scorers else {},
        "sticky_for": drawn.sticky_for,
    }
    canary = GuardRecord(errors_ppm=50_000, slower_ppm=500_000, over=MINUTE)
    arms = ("p", 1), ("spare", 1)
    built.route("trial", *arms, rank=5, tenants=("c",), guards={"spare": canary}, **placing)
    return built.route("all", ("p", 1), ("spare", 0), mirrors={"spare": MILLION // 2}, **placing).load()
