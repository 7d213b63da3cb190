"""Is a canary to be given up? Its requests against those of the route's other pools, in a sliding window.

A trial is a state machine with two states: watched, and given up, which is for good: a new try is a new
policy (another weight, say), for a person to decide. It is given up when, over the guard's window,

* more of its requests failed than the guard bears and than failed at the others, beyond doubt; or
* the median time to its first byte (of answers that are not streamed: to the answer) exceeds that of the
  others by more than the guard bears, beyond doubt.

Beyond doubt is what chance brings about less than once in a thousand looks; so the fewer requests there are,
the clearer their verdict has to be, and three is the least. Arms stay where they are (R4): whoever fell to
the canary falls to another pool, nobody else moves. docs/adr/0094.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Final, Literal

from coordination.program.index import Program, Route
from coordination.program.records import MILLION, GuardRecord, Micros, Ppm, RouteRecord
from coordination.scheduling.decisions import Decision
from coordination.scheduling.state import State
from coordination.sketch import Sketch

SLICES: Final = 10
"""Of a window, each forgotten as a whole: it reaches back between 0.9 and 1 of what the guard says."""
LEAST_FAILED: Final = 3
LEAST_TIMED: Final = 20
DOUBT: Final = log(1000)
DEVIATIONS: Final = 3.0
"""Of a median: as many standard deviations of its rank are a chance of about one in a thousand."""
JUDGED_EVERY: Final[Micros] = MILLION

Why = Literal["errors", "slower"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a canary was given up: its figure, and that of the others. Errors are in ppm of the requests, times
    in microseconds."""

    route: str
    pool: str
    why: Why
    at: Micros
    requests: int
    figure: int
    others: int


class Window:
    """What became of the requests of one arm, lately."""

    __slots__ = ("_length", "_slices")

    def __init__(self, over: Micros) -> None:
        self._length = max(1, over // SLICES)
        self._slices: dict[int, Slice] = {}

    def add(self, failed: bool, streamed: bool, took: Micros, now: Micros) -> None:
        current = now // self._length
        found = self._slices.get(current)
        if found is None:
            self._forget(now)
            found = self._slices[current] = Slice()
        found.requests += 1
        if failed:
            found.failed += 1
        else:
            found.times[streamed].add(took)

    def sum(self, now: Micros) -> Slice:
        """Everything in the window, added up."""
        self._forget(now)
        total = Slice()
        for one in self._slices.values():
            total.requests += one.requests
            total.failed += one.failed
            for mine, theirs in zip(total.times, one.times, strict=True):
                mine.merge(theirs)
        return total

    def _forget(self, now: Micros) -> None:
        oldest = now // self._length - SLICES
        for index in [index for index in self._slices if index <= oldest]:
            del self._slices[index]


class Slice:
    """Counts of one stretch of time."""

    __slots__ = ("failed", "requests", "times")

    def __init__(self) -> None:
        self.requests = 0
        self.failed = 0
        self.times = (Sketch(), Sketch())
        """To the answer, of those that are not streamed; to the first byte, of those that are."""

    @property
    def failed_ppm(self) -> Ppm:
        return self.failed * MILLION // self.requests if self.requests else 0


class Trial:
    """One canary of one route."""

    __slots__ = ("_judge_at", "given_up", "guard", "mine", "pool", "theirs")

    def __init__(self, pool: str, guard: GuardRecord) -> None:
        self.pool = pool
        self.guard = guard
        self.mine = Window(guard.over)
        self.theirs = Window(guard.over)
        self.given_up: Verdict | None = None
        self._judge_at: Micros = 0

    def count(self, route: str, pool: str, failed: bool, streamed: bool, took: Micros, now: Micros) -> bool:
        """A request of the route ended at ``pool``. Says whether that is why the canary is given up."""
        if pool != self.pool:
            self.theirs.add(failed, streamed, took, now)
            return False
        self.mine.add(failed, streamed, took, now)
        if self.given_up is not None or not (failed or now >= self._judge_at):
            return False
        self._judge_at = now + JUDGED_EVERY
        self.given_up = judge(route, self.pool, self.guard, self.mine.sum(now), self.theirs.sum(now), now)
        return self.given_up is not None


class Trials:
    """The canaries of one route, and the policy they are watched under."""

    __slots__ = ("others", "record", "trials")

    def __init__(self, route: Route) -> None:
        self.record: RouteRecord = route.record
        self.trials = {pool: Trial(pool, guard) for pool, guard in route.trials.items()}
        self.others = frozenset(t.pool for t in self.record.targets if t.weight and not t.canary)

    @property
    def gone(self) -> frozenset[str]:
        """Pools that were given up."""
        return frozenset(one.pool for one in self.trials.values() if one.given_up is not None)


def judge(
    route: str, pool: str, guard: GuardRecord, mine: Slice, theirs: Slice, now: Micros
) -> Verdict | None:
    """Whether a canary is given up for what is in both windows. A function of values."""
    bound = max(guard.errors_ppm, theirs.failed_ppm)
    if mine.failed >= LEAST_FAILED and exceeds(mine.failed, mine.requests, bound):
        return Verdict(route, pool, "errors", now, mine.requests, mine.failed_ppm, theirs.failed_ppm)
    for own, other in zip(mine.times, theirs.times, strict=True):
        if own.count < LEAST_TIMED or other.count < LEAST_TIMED:
            continue
        least, most = _median(own, -DEVIATIONS), _median(other, DEVIATIONS)
        if least * MILLION > most * (MILLION + guard.slower_ppm):
            return Verdict(
                route, pool, "slower", now, own.count, int(_median(own, 0)), int(_median(other, 0))
            )
    return None


def exceeds(failed: int, requests: int, bound: Ppm) -> bool:
    """Whether so many failures of so many requests show, beyond doubt, that more than ``bound`` fail.

    Chernoff: were ``bound`` the chance to fail, as many would fail with a probability of at most
    exp(-n KL(failed/n, bound)).
    """
    share, least = failed / requests, bound / MILLION
    if share <= least:
        return False
    if least == 0:
        return True
    distance = share * log(share / least)
    if share < 1:
        distance += (1 - share) * log((1 - share) / (1 - least))
    return requests * distance > DOUBT


def fared(
    program: Program,
    state: State,
    decision: Decision,
    failed: bool,
    streamed: bool,
    took: Micros,
    now: Micros,
) -> list[Verdict]:
    """A request of a route with canaries ended: by our failure or the engine's, or with a first byte after
    ``took``. Returns the canaries that are given up for it. Requests that were refused, or whose client
    left, say nothing of a pool."""
    route = program.routes.get(decision.route or "")
    pool = decision.pool or ""
    if route is None or not route.trials:
        return []
    trials = state.trials.get(route.name)
    if trials is None:
        trials = state.trials[route.name] = Trials(route)
    known = trials.trials.get(pool)
    if known is None and pool not in trials.others:
        return []  # a fallback
    watched = trials.trials.values() if known is None else (known,)
    found = [one for one in watched if one.count(route.name, pool, failed, streamed, took, now)]
    return [one.given_up for one in found if one.given_up is not None]


def carry_on(state: State, program: Program) -> None:
    """Another policy is in force: a route that says what it said keeps its trials, any other starts anew."""
    for name, trials in list(state.trials.items()):
        route = program.routes.get(name)
        if route is None or route.record != trials.record:
            del state.trials[name]


def _median(times: Sketch, deviations: float) -> float:
    """The median, or what it is at most or at least: so many standard deviations of its rank away."""
    rank = 50 + 50 * deviations / sqrt(times.count)
    return times.percentile(min(100.0, max(0.0, rank))) or 0.0
