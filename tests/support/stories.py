"""A busy minute under a policy that uses everything admission and settlement know of, told by explanations.

Drawn by a seed: the same seed tells the same story, so two ways to come to a decision can be held against
each other by what they tell.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from coordination.program.index import Program, load
from coordination.program.records import (
    CapsRecord,
    GuardRecord,
    GuardsRecord,
    LoopGuardRecord,
    ObjectiveRecord,
    ScheduledRecord,
)
from coordination.scheduling import (
    Decision,
    Dispatch,
    Request,
    State,
    Task,
    Usage,
    activate,
    admit,
    cancel,
    credit,
    dispatch,
    drain,
    expire,
    explain,
    fail,
    fared,
    first_byte,
    headroom,
    levels,
    move_on,
    new_state,
    progress,
    raise_limits,
    remember,
    run_left,
    settle,
    wake,
)
from coordination.scheduling.traits import Traits
from tests.support.programs import MINUTE, SECOND, START, a_policy, limit
from tests.support.spelled import spelled

TENANTS = ("a", "a/x", "a/x/deep", "a/y", "b", "c", "d")
TIERS = ("standard", "high", "low", "flat")
MODELS = ("m", "n")
RAISABLE = (("q-a", "requests", "1m"), ("q-a", "total_tokens", "1m"), ("q-c", "total_tokens", "1h"))


def policy(draw: random.Random) -> Program:
    """Two models, three pools, a tree of tenants; each kind of limit somewhere, of drawn sizes."""
    built = a_policy().model("m", context_window=9_000).model("n")
    built.pool("p", replicas=draw.randint(2, 4)).pool("q", replicas=2, sequences=8).pool("r", model="n")
    built.pool("s", isolation=draw.choice(["shared", "reserved_only"]))
    overflow = draw.choice(["queue", "spill", "refuse", "downgrade:low"])
    objective = ObjectiveRecord(metric="ttft", target=draw.randint(1, 20) * SECOND // 4)
    built.tier("standard", overflow_to=overflow, max_wait=2 * SECOND, max_depth=30, objectives=(objective,))
    built.tier("high", band=300, overflow_to="downgrade:standard", max_wait=SECOND, order="deadline")
    built.tier("low", band=100, minimum_share=draw.choice([0, 0.2]), order=draw.choice(["fcfs", "las"]))
    built.tier("flat", ramp=(500_000, MINUTE, draw.randint(2_000, 60_000)), overflow_to="downgrade:low")
    for tenant in TENANTS:
        built.tenant(tenant, zone=draw.choice(["UTC", "Europe/Berlin"]))
    later = ScheduledRecord(
        limit=draw.randint(10, 90), intervals=((START + 20 * SECOND, START + 40 * SECOND),)
    )
    shared: dict[str, Any] = {"guaranteed": draw.randint(1, 40), "lend": draw.choice([0, 10])}
    built.quota(
        "q-a",
        "a",
        limit("requests", "1m", draw.randint(60, 300), scheduled=(later,)),
        limit("total_tokens", "1m", draw.randint(50_000, 400_000)),
        limit("spend", "month", draw.randint(10**5, 10**7)),
        concurrency=draw.randint(10, 60),
        weight=draw.randint(1, 5),
        delegates=("weight", "limits"),
    )
    built.quota(
        "q-ax", "a/x", limit("requests", "1m", 200, **shared), caps=CapsRecord(sequences=draw.randint(2, 9))
    )
    built.quota("q-ay", "a/y", limit("requests", "1m", 100, guaranteed=draw.randint(1, 20), borrow=5))
    guards = GuardsRecord(
        tokens=draw.randint(5_000, 60_000),
        steps=draw.randint(3, 30),
        branches=draw.randint(1, 6),
        loop_guard=LoopGuardRecord(repeats=3, then=draw.choice(["refuse", "slow"])),
    )
    built.quota("q-b", "b", run=guards, session=GuardsRecord(tokens=100_000), caps=CapsRecord(bytes=20_000))
    built.quota(
        "q-c",
        "c",
        limit("requests", "1m", draw.randint(5, 50), shadow=True),
        limit("output_tokens", "day", draw.randint(2_000, 90_000)),
        limit("total_tokens", "1h", draw.randint(20_000, 900_000)),
        caps=CapsRecord(kv_share_ppm=draw.randint(10_000, 300_000)),
    )
    built.quota(
        "q-cs", "c", limit("input_tokens", "1m", 50_000), tiers=("standard",), models=("m",), weight=3
    )
    for name, tenant, pool in (("r1", "d", "p"), ("r2", "a", "q"), ("r3", "d", "s"), ("r4", "d", "p")):
        built.reservation(
            name,
            tenant,
            pool=pool,
            input_per_minute=draw.randint(10_000, 300_000),
            output_per_minute=draw.randint(1_000, 20_000),
            overflow_to=draw.choice(["spill", "refuse", "queue", "downgrade:low"]),
            until=draw.choice([None, START + 25 * SECOND]),
            lends=draw.random() < 0.5,
        )
    built.prices(("m", 0, 10, 1, 40), ("m", START + 30 * SECOND, 20, 2, 80), multipliers={"high": 1_500_000})
    canary = GuardRecord(errors_ppm=50_000, slower_ppm=500_000, over=MINUTE)
    built.route("long", "q", rank=5, models=("m",), prompt=(3_000, None), fallback=("p",))
    built.route("eu", "s", rank=6, models=("m",), regions=("eu",), tenants=("d",), fallback=("p", "q"))
    built.route("trial", ("p", 3), ("q", 1), rank=7, tenants=("a",), models=("m",), guards={"q": canary})
    built.route("split", ("p", 2), ("q", 1), rank=8, models=("m",), fallback=("q", "s"))
    built.route("n", "r", models=("n",), tiers=("standard", "low"))
    return load(built.records())


class Story:
    """One draw of it. ``between`` is called with the state before each event."""

    def __init__(self, seed: int, between: Callable[[State], None] | None = None) -> None:
        self._draw = random.Random(seed)
        self._between = between
        self.told: list[Any] = []
        self._program = policy(self._draw)
        self._now = START
        self._state = new_state(self._program, route_salt="salt", seed=seed, now=START)
        self._running: list[Dispatch] = []
        self._waiting: list[str] = []

    def run(self, events: int) -> list[Any]:
        """What was told of so many events: plain values, to be compared."""
        acts = (self._admit,) * 12 + (self._end,) * 8 + (self._pass, self._look, self._disturb)
        for _ in range(events):
            if self._between is not None:
                self._between(self._state)
            self._draw.choice(acts)()
            self._go()
        while self._running:
            self._end()
            self._go()
        self._look()
        return self.told

    def _go(self) -> None:
        for pool in sorted(self._state.pools):
            self._running += dispatch(self._program, self._state, pool, self._now)

    def _tell(self, what: Decision | Dispatch) -> None:
        self.told.append(explain(what))

    def _admit(self) -> None:
        draw = self._draw
        self._now += draw.choice([0, 1, 1_000, 40_000])
        length = draw.choice([0, 3, 10, 30, 80])
        strand = draw.randint(1, 20)
        name = f"req{len(self.told)}-{draw.random()}"
        task = Task(
            run=draw.choice(["", "run1", "run2"]), session=draw.choice(["", "s1"]), call=draw.choice([0, 7])
        )
        request = Request(
            name,
            draw.choice(TENANTS),
            draw.choice(("m", "m", "m", "n")),
            draw.choice(TIERS),
            draw.random() < 0.1,
            length * 128 + draw.randint(1, 100),
            draw.choice([None, 1, 100, 900]),
            (1, *(strand * 1000 + depth for depth in range(length))) if length else (),
            self._now,
            draw.choice([f"c{strand}", name]),
            deadline=draw.choice([None, None, self._now + draw.randint(1, 3 * SECOND)]),
            size=draw.choice([0, 500, 4_000]),
            task=draw.choice([None, task]),
            traits=Traits(region=draw.choice(["", "eu"])),
            streamed=draw.random() < 0.8,
        )
        decision = admit(self._program, self._state, request, self._now)
        self._tell(decision)
        self.told.append(str(spelled(headroom(self._program, self._state, decision, self._now))))
        self.told.append(run_left(self._program, self._state, decision, self._now))
        if decision.verdict != "refuse":
            self._waiting.append(name)

    def _end(self) -> None:
        draw = self._draw
        if not self._running:
            return
        sent = self._running.pop(draw.randrange(len(self._running)))
        self._now += draw.choice([0, 10_000, 90_000])
        if draw.random() < 0.1:
            reason = draw.choice(["connect", "timeout", "status_503"])
            refused = fail(self._program, self._state, sent, reason, self._now)  # type: ignore[arg-type]
            if refused is not None:
                self._tell(refused)
            return
        if draw.random() < 0.9:
            first_byte(self._program, self._state, sent, self._now)
        output = draw.choice([1, 60, 300, 2_000])
        progress(self._program, self._state, sent, output, self._now)
        cached = draw.randint(0, sent.request.prompt_tokens)
        usage = Usage(
            sent.request.prompt_tokens - cached,
            cached,
            output,
            draw.choice([0, 0, 50]),
            draw.choice([0, 0, 70]),
        )
        outcome = draw.choice(["completed", "completed", "aborted"])
        settle(self._program, self._state, sent, usage, outcome, self._now)  # type: ignore[arg-type]
        fared(self._program, self._state, sent.decision, draw.random() < 0.1, True, output * 1000, self._now)
        self._tell(sent)

    def _pass(self) -> None:
        self._now += self._draw.choice([1_000, SECOND, 5 * SECOND])
        for decision in expire(self._program, self._state, self._now):
            self._tell(decision)

    def _look(self) -> None:
        now = self._now
        for tenant in TENANTS:
            self.told.append(str(levels(self._state, tenant, now)))
        self.told.append(sorted(map(str, remember(self._state, now))))
        self.told.append(sorted(map(str, self._state.shadowed.items())))

    def _disturb(self) -> None:
        draw, state, now = self._draw, self._state, self._now
        what = draw.randrange(7)
        if what == 0:
            self._program = policy(draw)
            activate(state, self._program, now)
        elif what == 1:
            limits: Any = {draw.choice(["a/x", "a/y"]): {"requests": {"1m": draw.randint(1, 40)}}}
            weights = {draw.choice(TENANTS): draw.randint(1, 9) * 500_000}
            self._program.follow(weights, limits if draw.random() < 0.5 else {})
            if draw.random() < 0.7:
                activate(state, self._program, now)
        elif what == 2:
            raised = {
                one: (draw.choice([1_500_000, 3_000_000]), "a bad night") for one in draw.sample(RAISABLE, 2)
            }
            raise_limits(self._program, state, raised if draw.random() < 0.7 else {}, now)  # type: ignore[arg-type]
        elif what == 3:
            drain(self._program, state, draw.choice([{}, {"p": "a bad night"}, {"q": "maintenance"}]), now)
            for before, after in move_on(self._program, state, now):
                self._tell(before)
                self._tell(after)
        elif what == 4:
            quota, of, per = draw.choice(RAISABLE)
            credit(state, quota, of, per, draw.choice([None, 100]), now - draw.choice([0, MINUTE]), now)
        elif what == 5 and self._waiting:
            cancel(self._program, state, draw.choice(self._waiting), now)
        else:
            wake(self._program, state, draw.choice(["p", "q"]), now + draw.choice([0, SECOND]), now)
