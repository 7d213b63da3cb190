"""What happened since the last look, by tenant, tier, model, pool and replica?

A request is counted once, where and when it ended; what a stream brings is counted as it passes. The
keys are names of the policy's own documents: nothing a client wrote becomes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from coordination.program.records import ObjectiveRecord
from coordination.scheduling.attainment import BROKEN, Ending, counted
from coordination.sketch import Sketch
from coordination.wire.telemetry import MAX_SERIES, OTHER, Series
from gateway.ended import Alike
from gateway.explanations import Explanation

OURS = frozenset({"internal_error", "upstream_failed", "upstream_timeout"})
"""Codes that say that we or the engine failed, rather than that a request was refused."""
ENGINE_REFUSED: Final = "engine_refused"
FORGOTTEN_AFTER: Final = 60
"""Looks in a row that find nothing of a key."""
Key = tuple[str, str, str, str, str | None]


class Cell:
    """The counters of one key, since the last look."""

    __slots__ = (
        "aborted",
        "cached_input",
        "completed",
        "e2e",
        "failed",
        "holders",
        "honoured",
        "itl",
        "key",
        "objectives",
        "output",
        "promised",
        "queue",
        "quiet",
        "refused",
        "requests",
        "reserved",
        "spilled",
        "streamed",
        "ttft",
        "uncached_input",
    )

    def __init__(self, key: Key) -> None:
        self.key = key
        self.holders = 0
        """Streams that count here while they pass."""
        self.quiet = 0
        self._reset()

    def _reset(self) -> None:
        self.requests = self.completed = self.aborted = self.failed = 0
        self.reserved = self.spilled = self.promised = self.honoured = 0
        self.uncached_input = self.cached_input = self.output = self.streamed = 0
        self.refused: dict[str, int] = {}
        self.objectives: dict[str, tuple[int, int]] = {}
        self.ttft, self.itl, self.e2e, self.queue = Sketch(), Sketch(), Sketch(), Sketch()

    def passed(self, tokens: int, since_us: int) -> None:
        """A read brought ``tokens`` (>= 1) of a stream, ``since_us`` after the read before it."""
        self.streamed += tokens
        self.itl.add(since_us // tokens, tokens)

    def held_to(self, objective: ObjectiveRecord, kept: int, given: int) -> None:
        """A request that counts here was given a promise so often, and it was kept so often."""
        before = self.objectives.get(objective.key, (0, 0))
        self.objectives[objective.key] = (before[0] + kept, before[1] + given)

    def take(self) -> Series | None:
        """What was counted, which is forgotten here; ``None`` if there was nothing."""
        if not self.requests and not self.streamed:
            self.quiet += 1
            return None
        self.quiet = 0
        tenant, tier, model, pool, replica = self.key
        series = Series(
            tenant=tenant,
            tier=tier,
            model=model,
            pool=pool,
            replica=replica,
            requests=self.requests,
            completed=self.completed,
            aborted=self.aborted,
            failed=self.failed,
            refused=self.refused,
            reserved=self.reserved,
            spilled=self.spilled,
            promised=self.promised,
            honoured=self.honoured,
            objectives=self.objectives,
            uncached_input=self.uncached_input,
            cached_input=self.cached_input,
            output=self.output,
            streamed=self.streamed,
            ttft=_written(self.ttft),
            itl=_written(self.itl),
            e2e=_written(self.e2e),
            queue=_written(self.queue),
        )
        self._reset()
        return series


class Meter:
    """All cells of one gateway."""

    def __init__(self, most: int = MAX_SERIES, before: Callable[[], None] = lambda: None) -> None:
        """``before``: called before anybody looks, to add what was kept back until then."""
        self._most = most
        self._before = before
        self._cells: dict[Key, Cell] = {}

    def cell(self, tenant: str, tier: str, model: str, pool: str, replica: str | None) -> Cell:
        key = (tenant, tier, model, pool, replica)
        found = self._cells.get(key)
        if found is None:
            if len(self._cells) >= self._most and tenant != OTHER:
                return self.cell(OTHER, tier, "", "", None)
            found = self._cells[key] = Cell(key)
        return found

    def cell_of(self, explanation: Explanation) -> Cell:
        """Where a request that is over counts."""
        decision, dispatches = explanation.decision, explanation.dispatches
        tenant, replica = explanation.tenant or "", dispatches[-1].replica if dispatches else None
        if decision is None:
            return self.cell(tenant, "", "", "", replica)
        return self.cell(tenant, decision.tier, decision.request.model, decision.pool or "", replica)

    def add(self, group: Alike) -> None:
        """Requests that are over, however they ended."""
        one, count = group.one, len(group.all)
        decision, problem, dispatches = one.decision, one.problem, one.dispatches
        if decision is None and problem is None:
            return  # a list of models: no promise is made about it
        cell = self.cell_of(one)
        if decision is not None:
            if decision.reservation == "used":
                cell.reserved += count
            elif decision.reservation == "spilled":
                cell.spilled += count
            kept = [
                each.decision.promise.honoured
                for each in group.all
                if each.decision is not None
                and each.decision.promise is not None
                and each.decision.promise.honoured is not None
            ]
            cell.promised += len(kept)
            cell.honoured += sum(kept)
        cell.requests += count
        if problem is not None:
            if problem.code in OURS:
                cell.failed += count
            else:
                cell.refused[problem.code] = cell.refused.get(problem.code, 0) + count
        elif one.outcome == "aborted":
            cell.aborted += count
        elif one.status == 200:
            cell.completed += count
            cell.e2e.extend(group.durations)
        else:
            cell.refused[ENGINE_REFUSED] = cell.refused.get(ENGINE_REFUSED, 0) + count
        if dispatches:
            cell.queue.extend([each.dispatches[0].queue_us for each in group.all])
            if one.stream:
                cell.ttft.extend(group.to_first_byte)
        if group.used:
            tokens = group.tokens()
            cell.uncached_input += tokens.computed
            cell.cached_input += tokens.cached_input
            cell.output += tokens.generated

    def passed(self, streams: Iterable[Series]) -> None:
        """What a worker process saw pass in streams since it last said so."""
        for series in streams:
            cell = self.cell(series.tenant, series.tier, series.model, series.pool, series.replica)
            cell.streamed += series.streamed
            if series.itl:
                cell.itl.merge(Sketch.from_bytes(series.itl))

    def take(self) -> tuple[Series, ...]:
        """Everything counted since the last call. Keys long unheard of are forgotten."""
        self._before()
        taken: list[Series] = []
        gone: list[Key] = []
        for key, cell in self._cells.items():
            series = cell.take()
            if series is not None:
                taken.append(series)
            elif cell.quiet > FORGOTTEN_AFTER and not cell.holders:
                gone.append(key)
        for key in gone:
            del self._cells[key]
        return tuple(taken)


def attained(
    explanation: Explanation, objectives: Iterable[ObjectiveRecord]
) -> list[tuple[ObjectiveRecord, int, int]]:
    """Of these promises, those the request was given, with how often each was kept and given.

    What an engine refused is the caller's mistake, and was promised nothing.
    """
    decision, problem = explanation.decision, explanation.problem
    done = problem is None and explanation.outcome == "completed"
    if decision is None or (done and explanation.status != 200):
        return []
    arrived, due = explanation.arrived, decision.request.deadline
    streamed = explanation.stream and explanation.first_byte
    ending = Ending(
        _uncached(explanation),
        explanation.finished - arrived,
        done,
        problem is not None and problem.code in BROKEN,
        explanation.first_byte - arrived if streamed else None,
        None if due is None else due - arrived,
        explanation.gaps,
    )
    found = ((objective, *counted(objective, ending)) for objective in objectives)
    return [each for each in found if each[2]]


def _uncached(explanation: Explanation) -> int:
    """As charged: by the engine's word or, without it, by our own count. As reckoned with at admission, of
    what did not come so far."""
    charge, decision = explanation.charge, explanation.decision
    if charge is not None and charge.usage.computed + charge.usage.cached_input:
        return charge.usage.computed
    assert decision is not None  # noqa: S101 - only of what came before the rules
    return decision.held[0] if any(decision.held) else decision.request.prompt_tokens


def _written(sketch: Sketch) -> bytes:
    return sketch.to_bytes() if sketch.count else b""
