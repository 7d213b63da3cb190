"""Who talks to the rules? One owner of the scheduling state, on one event loop, with the real clock.

Everything here is a call into ``coordination.scheduling`` with the time added, and the delivery of what
it answers to whoever waits for it. No decision is taken in this package.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from coordination import scheduling
from coordination.program.index import Program
from coordination.program.records import LimitOf, LimitPer
from coordination.program.teams import TeamRefusal
from coordination.scheduling import (
    Classified,
    Decision,
    Dispatch,
    Headroom,
    Levels,
    Refusal,
    Remembered,
    Used,
)
from coordination.scheduling.prefix_index import BLOCK_BYTES
from coordination.scheduling.values import Charge, ReplicaReport, Request, Usage
from gateway.activation import Active
from gateway.clock import PolicyClock
from gateway.log import log
from gateway.rules import FailReason, Outcome, Waiter


@dataclass(frozen=True, slots=True)
class Overriding:
    """What overrides want of the rules. False: nothing."""

    pools: Mapping[str, str] = field(default_factory=dict)
    """That take nothing new -> why."""
    replicas: frozenset[str] = frozenset()
    """URLs of those that take nothing new."""
    waking: Mapping[str, int] = field(default_factory=dict)
    """Pools whose replicas are on their way -> until when their requests are held."""
    raised: Mapping[tuple[str, LimitOf, LimitPer], tuple[int, str]] = field(default_factory=dict)
    """(Quota, dimension, period) -> by what factor in millionths, and why."""

    def __bool__(self) -> bool:
        return bool(self.pools or self.replicas or self.waking or self.raised)


class Coordinator:
    """The rules' state, the policy in force, and the requests that wait."""

    def __init__(self, active: Active, clock: PolicyClock, *, seed: int, salt: int) -> None:
        """``seed`` drives jitter and ties; ``salt`` is this process' own part of block hashes."""
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._salt = salt
        self._salts: dict[tuple[str, str, str], int] = {}
        self._waiting: dict[str, tuple[Waiter, Decision]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._switch: scheduling.Switch | None = None
        self._overriding = Overriding()
        self.active = active
        self.credited: dict[str, int] = {}
        """Credits that were carried out, and when each was made."""
        self._found: dict[str, tuple[str, ...]] = {}
        """By ``host:port``: the replicas that a name of the policy stands for."""
        self.program: Program = active.program
        """In force; a plain attribute, since it is asked for seven times a request."""
        self._set_for_teams(active)
        self._state = scheduling.new_state(
            active.program, route_salt=active.directory.route_salt, seed=seed, now=clock.now()
        )
        self._follow_names()

    def activate(self, active: Active) -> None:
        """Enforce another policy, or what was set for teams, from the next decision on; levels are kept
        (R3)."""
        moved = self._set_for_teams(active)
        if moved or active.program is not self.program:
            salts, self._salts = self._salts, {}
            under_way = self._switch is not None
            self._switch = scheduling.Switch(self._state, active.program, self._clock.now(), salts)
            self._follow_names(active.program)
            if not under_way:
                self._loop.call_soon(self._go_on)
        self.active = active
        self.program = active.program
        self.follow_credits()
        self.override(self._overriding)
        for pool in self.program.pools:
            self.pump(pool)
        if self._waiting:
            self._arm()  # requests whose pool or tenant is gone expire now

    def _set_for_teams(self, active: Active) -> bool:
        """Lay what administrators set for their teams over the policy; whether that alters anything."""
        before, directory = self.program.teams, active.directory
        moved = active.program.follow(directory.shares, directory.limits, before)
        for refused in set(active.program.teams.refused) - set(before.refused):
            log("team_share_refused", **refused._asdict())
        return moved

    def _go_on(self) -> None:
        """Some of what an activation leaves to be done, then whatever else waits for the loop."""
        if self._switch is not None and self._switch.step(self._clock.now()):
            self._loop.call_soon(self._go_on)
        else:
            self._switch = None

    def levels(self, tenant: str) -> Levels:
        """How full every limit and reservation of ``tenant`` and of all below it is."""
        return scheduling.levels(self._state, tenant, self._clock.now())

    def remember(self, now: int) -> list[Remembered]:
        """What a restart must know of the limits used since the last call (R26)."""
        return scheduling.remember(self._state, now)

    def rehydrate(
        self, remembered: Iterable[Remembered], used: Iterable[Used], credited: dict[str, int]
    ) -> tuple[int, int]:
        """Put back what was remembered, and count what was used since: limits, attempts. ``credited``: the
        credits that are in it."""
        self.credited = credited
        now = self._clock.now()
        restored = scheduling.restore(self._state, remembered, now)
        return restored, scheduling.recount(self._state, used, now)

    def follow_credits(self) -> None:
        """Carry out what credits of the directory are new."""
        known = self.credited
        for one in self.active.directory.credits:
            if one.id not in known:
                now = self._clock.now()
                done = scheduling.credit(
                    self._state, one.quota, one.of, one.per, one.amount, one.made_at, now
                )
                log("limit_credited", credit=one.id, quota=one.quota, of=one.of, per=one.per, done=done)
                known[one.id] = one.made_at

    def teams_refused(self) -> tuple[TeamRefusal, ...]:
        """What was set for teams and this policy does not let stand."""
        return self.program.teams.refused

    def shadowed(self) -> list[tuple[str, str, str, int]]:
        """(quota, dimension, period) of each limit in shadow, and how many requests it would have refused."""
        return [(quota, of, per, count) for (_, quota, of, per), count in self._state.shadowed.items()]

    def kept(self) -> dict[str, tuple[int, int]]:
        """Reservation -> (requests promised their first byte in time, those that had it)."""
        return {name: (one.promised, one.honoured) for name, one in self._state.kept.items()}

    def shortfalls(self) -> dict[str, int]:
        """Reservation -> requests within its promise that lost capacity kept from its lane."""
        return self._state.shortfalls

    # -- a request's life ----------------------------------------------------------------------

    def classify(self, tenant: str, service_tier: str | None, model: str) -> Classified | Refusal:
        return scheduling.classify(self.program, tenant, service_tier, model)

    def blocks(self, classified: Classified, tenant: str, text: bytes) -> list[int]:
        """Chained hashes of the prompt's 512-byte blocks, under the salt of who may share them."""
        if len(text) < BLOCK_BYTES:
            return []
        key = (classified.adapter or classified.model, classified.tier, tenant)
        salt = self._salts.get(key)
        if salt is None:
            salt = self._salts[key] = scheduling.salt(self.program, classified, tenant, self._salt)
        return scheduling.block_hashes(text, salt)

    def admit(self, waiter: Waiter, request: Request, now: int) -> Decision:
        """Decide. Unless refused, the waiter hears of its place after ``pump`` of the pool decided."""
        decision = scheduling.admit(self.program, self._state, request, now)
        if decision.verdict != "refuse":
            self._waiting[request.request_id] = (waiter, decision)
        return decision

    def pump(self, pool: str, now: int = 0) -> None:
        """Send on their way all that may go ``now``, which is read from the clock unless it was just read."""
        if not self._waiting:
            return
        for dispatch in scheduling.dispatch(self.program, self._state, pool, now or self._clock.now()):
            waiter, _ = self._waiting.pop(dispatch.request.request_id)
            waiter.placed(dispatch)
        if self._waiting:
            self._arm()

    def first_byte(self, dispatch: Dispatch) -> None:
        """Its prefill is done: the replica may have room for another."""
        scheduling.first_byte(self.program, self._state, dispatch, self._clock.now())
        self.pump(dispatch.pool)

    def progress(self, dispatch: Dispatch, output_tokens: int) -> None:
        scheduling.progress(self.program, self._state, dispatch, output_tokens, self._clock.now())

    def settle(self, dispatch: Dispatch, usage: Usage, outcome: Outcome, now: int) -> Charge:
        """The attempt is over, its tokens are known."""
        charge = scheduling.settle(self.program, self._state, dispatch, usage, outcome, now)
        if self._waiting:
            self.pump(dispatch.pool, now)
        return charge

    def fail(self, waiter: Waiter, dispatch: Dispatch, reason: FailReason) -> Decision | None:
        """An attempt failed before its first byte. ``None``: it waits for another replica."""
        decision = scheduling.fail(self.program, self._state, dispatch, reason, self._clock.now())
        if decision is None:
            self._waiting[dispatch.request.request_id] = (waiter, dispatch.decision)
        if self._overriding.pools:
            self._move_on(self._clock.now())
        self.pump(dispatch.pool)
        return decision

    def watch(self, dispatch: Dispatch) -> int | None:
        """For how many microseconds its first byte may be waited for before ``hedge`` is asked."""
        return scheduling.watch(self.program, self._state, dispatch)

    def hedge(self, dispatch: Dispatch) -> Dispatch | None:
        """A second attempt beside a slow one, if the rules allow one."""
        found = scheduling.hedge(self.program, self._state, dispatch, self._clock.now())
        return None if isinstance(found, str) else found

    def lose(self, dispatch: Dispatch, reason: scheduling.Lost) -> None:
        """Of two attempts this one is over; the other goes on."""
        scheduling.lose(self.program, self._state, dispatch, reason, self._clock.now())
        self.pump(dispatch.pool)

    def mirror(self, dispatch: Dispatch) -> list[scheduling.Copy]:
        """The copies to send of a request that was just dispatched."""
        return scheduling.mirror(self._state, dispatch, self._clock.now())

    def copy_began(self, copy: scheduling.Copy, took: int) -> None:  # noqa: ARG002 - for those who count it
        """The first byte of a copy's answer came."""
        scheduling.copy_began(copy)
        self.pump(copy.pool)

    def copied(self, copy: scheduling.Copy, ended: scheduling.Ended) -> None:
        """A copy is over."""
        scheduling.copied(copy, ended, self._clock.now())
        self.pump(copy.pool)

    def copies(self) -> dict[tuple[str, str], scheduling.Copies]:
        """(route, pool) -> what was copied there."""
        return self._state.copies

    def fared(self, decision: Decision, failed: bool, streamed: bool, took: int) -> None:
        """A request of a route with canaries ended."""
        now = self._clock.now()
        for one in scheduling.fared(self.program, self._state, decision, failed, streamed, took, now):
            log("canary_given_up", **asdict(one))

    def trials(self) -> list[tuple[str, scheduling.Trial]]:
        """(route, canary) of those that are watched, or were given up."""
        return [(name, one) for name, of in self._state.trials.items() for one in of.trials.values()]

    def hedges(self) -> dict[str, scheduling.Hedges]:
        """Route -> what was tried twice on it."""
        return self._state.hedges

    def cancel(self, request_id: str, pool: str) -> None:
        """Its client left while it waited."""
        if self._waiting.pop(request_id, None) is not None:
            scheduling.cancel(self.program, self._state, request_id, self._clock.now())
            self.pump(pool)

    def headroom(self, decision: Decision, now: int) -> Headroom:
        """What the tightest limits still allow, for the x-ratelimit headers."""
        return scheduling.headroom(self.program, self._state, decision, now)

    def run_left(self, decision: Decision, now: int) -> tuple[int | None, int | None]:
        """Tokens and steps its run and session may still use."""
        return scheduling.run_left(self.program, self._state, decision, now)

    # -- replicas and the queue ----------------------------------------------------------------

    def observe(self, pool: str, replica: str, report: ReplicaReport | None) -> None:
        """``None``: the replica did not answer."""
        scheduling.observe(self.program, self._state, pool, replica, report, self._clock.now())
        self.pump(pool)

    def set_aside(self, pool: str, replica: str, aside: bool) -> None:
        """Send nothing new to a replica (cordon), or lift that. What is in flight there ends as it will."""
        scheduling.set_health(self.program, self._state, pool, replica, not aside, self._clock.now())
        self.pump(pool)

    def wake(self, pool: str, until: int) -> None:
        """Replicas of a pool are on their way: hold its requests until then."""
        scheduling.wake(self.program, self._state, pool, until, self._clock.now())
        if self._waiting:
            self._arm()

    def members(self, pool: str) -> tuple[str, ...]:
        """Base URLs of a pool's replicas: the policy's, or those that its name stands for."""
        named = self.program.pools[pool]
        return named.replicas if named.dns is None else self._found.get(named.dns, ())

    def busy(self, pool: str, replica: str) -> bool:
        """Whether requests of ours are in flight there."""
        return scheduling.busy(self._state, pool, replica)

    def found(self, dns: str, members: tuple[str, ...]) -> None:
        """A name of the policy stands for these replicas."""
        self._found[dns] = members
        self._follow_names()
        self._set_aside((), self._clock.now())
        for name, pool in self.program.pools.items():
            if pool.dns == dns:
                self.pump(name)

    def override(self, wanted: Overriding) -> None:
        """From the next decision on, exactly these overrides are in force (R12)."""
        before, self._overriding = self._overriding, wanted
        if not wanted and not before:
            return
        now, program, state = self._clock.now(), self.program, self._state
        scheduling.raise_limits(program, state, wanted.raised, now)
        scheduling.drain(program, state, wanted.pools, now)
        self._set_aside(before.replicas - wanted.replicas, now)
        for name in wanted.waking.keys() | before.waking.keys():
            scheduling.wake(program, state, name, wanted.waking.get(name, now), now)
        self._move_on(now)
        for name in program.pools:
            self.pump(name)
        if self._waiting:
            self._arm()

    def _set_aside(self, back: Iterable[str], now: int) -> None:
        """Cordon what is to take nothing new, wherever it is found; and have ``back`` take requests again."""
        for name in self.program.pools:
            for url in (*self._overriding.replicas, *back):
                well = url not in self._overriding.replicas
                scheduling.set_health(self.program, self._state, name, url, well, now)

    def _move_on(self, now: int) -> None:
        """What waits for a drained pool is let in anew, or refused."""
        for before, after in scheduling.move_on(self.program, self._state, now):
            waiter, _ = self._waiting.pop(before.request.request_id)
            if after.verdict == "refuse":
                waiter.refused(after)
            else:
                self._waiting[after.request.request_id] = (waiter, after)
                waiter.explanation.decision = after

    def standing(self, pool: str) -> list[scheduling.Standing]:
        """The replicas of a pool: health, what is in flight there, whether they are drained."""
        return scheduling.standing(self._state, pool)

    def queue_depths(self) -> Counter[tuple[str, int]]:
        """(pool, band) -> requests waiting."""
        depths: Counter[tuple[str, int]] = Counter()
        tiers = self.program.tiers
        for _, decision in self._waiting.values():
            tier = tiers.get(decision.tier or "")
            depths[decision.pool or "", tier.band if tier else 0] += 1
        return depths

    def queues(self) -> dict[tuple[str, int], tuple[int, int]]:
        """(pool, band) -> requests waiting, and for how long the oldest has, in microseconds."""
        now = self._clock.now()
        found: dict[tuple[str, int], tuple[int, int]] = {}
        tiers = self.program.tiers
        for _, decision in self._waiting.values():
            tier = tiers.get(decision.tier)
            key = (decision.pool or "", tier.band if tier else 0)
            depth, oldest = found.get(key, (0, 0))
            found[key] = (depth + 1, max(oldest, now - decision.request.arrived))
        return found

    def _follow_names(self, program: Program | None = None) -> None:
        """Let each pool that has a name have the replicas it stands for; none before the first answer."""
        now = self._clock.now()
        named = {one.dns for one in (program or self.program).pools.values() if one.dns is not None}
        self._found = {dns: members for dns, members in self._found.items() if dns in named}
        for pool in (program or self.program).pools.values():
            if pool.dns is not None:
                members = self._found.get(pool.dns, ())
                scheduling.follow(self.program, self._state, pool.name, members, now)

    def close(self) -> None:
        self._switch = None
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        """Wake up when the first waiting request's time is over."""
        at = scheduling.next_expiry(self._state)
        if at is None or (self._timer is not None and self._timer_at == at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        delay = max(0, at - self._clock.now()) / 1_000_000
        self._timer = self._loop.call_later(delay, self._expire)

    def _expire(self) -> None:
        self._timer = None
        for decision in scheduling.expire(self.program, self._state, self._clock.now()):
            entry = self._waiting.pop(decision.request.request_id, None)
            if entry is not None:
                entry[0].refused(decision)
        for pool in {decision.pool for _, decision in self._waiting.values()}:
            self.pump(pool or "")
        if self._waiting:
            self._arm()
