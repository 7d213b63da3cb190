"""What does one replica compute, and when is it done? Continuous batching, jumped in closed form.

The scheduler is the engine's own (decodes first, then begun prefills, then as many waiting requests as
fit into the token budget, the sequence limit and the KV pool, in order of arrival). While nothing
prefills, the batch does not change until its first sequence ends: such a run of decode steps is one
event, however long (``coordination.capacity.decode_run``), cut at the next step's end when a request
arrives. No event touches the sequences that merely decode: each keeps the step count at which it ends.

Times are microseconds of the caller's clock, as floats: a step's end is not rounded, so nothing drifts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil, sqrt
from typing import Any, Final

from coordination.capacity import CHUNK_TOKENS, BlockCache, Profile, step_model, step_table
from coordination.sketch import Sketch
from coordination.traces import BLOCK_TOKENS

MICROS: Final = 1e6
WAITING: Final = 0
PREFILL: Final = 1
DECODE: Final = 2
LEAVING: Final = 3
"""Aborted while it decoded: it holds its place to the end of the step."""
OVER: Final = 4
PENDING: Final = 512
"""Gaps that are kept before they are counted."""
HOST_BANDWIDTH: Final = 50e9
"""Bytes a second from host memory to one accelerator: what PCIe 5 x16 reaches; judgement, not fitted."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How one replica is set up, beyond its profile."""

    profile: Profile
    kv_tokens: int
    sequences: int
    host_tokens: int = 0
    """Tokens of KV cache a host memory tier holds; 0 is none."""
    chunk_tokens: int = CHUNK_TOKENS


class Sequence:
    """One request inside a replica."""

    __slots__ = (
        "blocks",
        "cached",
        "computed",
        "emitted",
        "first_at",
        "mark_from",
        "named",
        "output",
        "owner",
        "prompt",
        "state",
        "unnamed",
    )

    def __init__(self, prompt: int, output: int, blocks: list[int], owner: Any, mark_from: int = 0) -> None:
        self.prompt = prompt
        self.output = output
        self.blocks = blocks
        """Chained names of the prompt's whole blocks."""
        self.owner = owner
        self.mark_from = mark_from
        """Tell when ``mark_tokens`` beyond this many are out, and again each time as many more; 0: never."""
        self.state = WAITING
        self.cached = 0
        self.computed = 0
        """Prompt tokens whose keys and values are in the pool."""
        self.emitted = 0
        """Output tokens up to the last mark."""
        self.named = 0
        self.unnamed = 0
        self.first_at = 0.0


class Replica:
    """One engine: queue, batch and caches. The caller asks ``next_at`` and calls ``complete`` then."""

    def __init__(self, limits: EngineLimits, *, name: str = "", mark_tokens: int = 256) -> None:
        profile = limits.profile
        self.name = name
        self.limits = limits
        self.mark_tokens = mark_tokens
        model = step_model(profile)
        self._attention, self._kv, self._sequence = model.attention, model.kv, model.sequence
        self._beside_context = step_table(model)
        self.cache = BlockCache(limits.kv_tokens // BLOCK_TOKENS, limits.host_tokens // BLOCK_TOKENS)
        self.waiting: deque[Sequence] = deque()
        self.next_at: float | None = None
        """When the planned steps end; None while idle."""
        self.version = 0
        """Changes with ``next_at``."""
        self.firsts: list[Sequence] = []
        """Since the last ``complete``: those that emitted their first token, ..."""
        self.finished: list[Sequence] = []
        """... their last, ..."""
        self.marked: list[Sequence] = []
        """... or a marked one between (``emitted`` tells which)."""
        self._told = False
        self.busy_us = 0.0
        self.input_tokens = 0
        self.computed_tokens = 0
        self.output_tokens = 0
        self.steps = 0
        self.most_sequences = 0
        self.most_blocks = 0
        self._gaps = Sketch()
        self._gap_times: list[int] = []
        self._gap_counts: list[int] = []
        self._load_us = (
            BLOCK_TOKENS * profile.kv_bytes_per_token / (profile.tensor_parallel * HOST_BANDWIDTH) * MICROS
        )
        self._prefilling: list[Sequence] = []
        self._decoding = 0
        self._context = 0  # sum of the contexts of all that decode
        self._decoded = 0  # decode steps ever made
        self._marks: list[tuple[int, int, Sequence, int]] = []
        self._order = 0
        self._leaving: list[Sequence] = []
        # The plan: a step with prefills, or a run of decode steps.
        self._start = 0.0
        self._chunks: list[tuple[Sequence, int]] = []
        self._run = 0
        self._first_us = 0.0
        self._growth_us = 0.0

    @property
    def gaps(self) -> Sketch:
        """Time between two tokens of a sequence, each gap counted, in microseconds."""
        self._count_gaps()
        return self._gaps

    @property
    def running(self) -> int:
        return self._decoding + len(self._prefilling)

    @property
    def outstanding(self) -> int:
        """Requests in the batch or waiting for it."""
        return self.running + len(self.waiting)

    def fits(self, prompt: int, output: int) -> bool:
        """Could this request ever be admitted?"""
        return _blocks_for(prompt, output) <= self.cache.capacity

    def submit(self, sequence: Sequence, now: float) -> None:
        """Append a request to the queue. Raises ValueError if it can never run."""
        if sequence.prompt < 1 or sequence.output < 1:
            raise ValueError("a request has at least one prompt token and one output token")
        if not self.fits(sequence.prompt, sequence.output):
            raise ValueError("the request is larger than the whole KV pool")
        self.waiting.append(sequence)
        if self.next_at is None:
            self._plan(now)
        elif self._run and len(self.waiting) == 1:
            self._cut(now)

    def abort(self, sequence: Sequence, now: float) -> None:
        """Drop a request wherever it is and free what it holds. Idempotent."""
        if sequence.state == WAITING:
            self.waiting.remove(sequence)
        elif sequence.state == PREFILL:
            self._prefilling.remove(sequence)
            self._release(sequence)
        elif sequence.state == DECODE:
            if self._run:
                self._cut(now)
            mark = self._mark_of(sequence)
            done = self._decoded + max(0, self._run - 1)  # the last step of the run is not over yet
            sequence.emitted = mark[3] - (mark[0] - done)
            sequence.state = LEAVING
            self._leaving.append(sequence)
            return
        else:
            return
        sequence.state = OVER

    def complete(self) -> bool:
        """The planned steps are over: book their results and plan the next ones. Says whether ``firsts``,
        ``finished`` or ``marked`` hold anything now."""
        end = self.next_at
        assert end is not None  # noqa: S101  the caller knows that something was planned
        if self._told:
            self._told = False
            self.firsts.clear()
            self.finished.clear()
            self.marked.clear()
        took = end - self._start
        self.busy_us += took
        run, decoding = self._run, self._decoding
        steps = run or 1
        self.steps += steps
        if decoding:
            tokens = decoding * steps
            decoded = self._decoded = self._decoded + steps
            self._context += tokens
            self.output_tokens += tokens
            gaps = self._gap_times
            gaps.append(int(took / steps))
            self._gap_counts.append(tokens)
            if len(gaps) >= PENDING:
                self._count_gaps()
            if self._marks[0][0] <= decoded:
                self._reach_marks()
        if not run:
            self._book_chunks(end)
        if self._leaving:
            self._let_go()
        if self._prefilling or self.waiting:
            self._plan(end)
        else:
            self._plan_run(end, self._decoding)
        return self._told

    def _count_gaps(self) -> None:
        self._gaps.weigh(self._gap_times, self._gap_counts)
        self._gap_times.clear()
        self._gap_counts.clear()

    # What the next steps hold

    def _plan(self, start: float) -> None:
        """Something prefills or waits to."""
        decoding, prefilling, waiting = self._decoding, self._prefilling, self.waiting
        limits = self.limits
        budget = whole = limits.chunk_tokens
        budget -= decoding
        attended = loaded = 0.0
        chunks: list[tuple[Sequence, int]] = []
        for sequence in prefilling:
            computed = sequence.computed
            new = sequence.prompt - computed
            if new > budget:
                new = budget
            if new > 0:
                chunks.append((sequence, new))
                budget -= new
                attended += new * (computed + new / 2)
        while waiting and budget > 0 and decoding + len(prefilling) < limits.sequences:
            sequence = waiting[0]
            blocks_loaded = self._admit(sequence)
            if blocks_loaded < 0:
                break
            waiting.popleft()
            prefilling.append(sequence)
            loaded += blocks_loaded * self._load_us
            computed = sequence.computed
            new = sequence.prompt - computed
            if new > budget:
                new = budget
            chunks.append((sequence, new))
            budget -= new
            attended += new * (computed + new / 2)
        self._chunks = chunks
        running = decoding + len(prefilling)
        if running > self.most_sequences:
            self.most_sequences = running
        if not chunks:
            self._plan_run(start, decoding)
            return
        self._start = start
        self._run = 0
        self.version += 1
        seconds = (
            self._beside_context[whole - budget]
            + self._attention * attended
            + self._kv * self._context
            + self._sequence * decoding
        )
        self.next_at = start + seconds * MICROS + loaded

    def _plan_run(self, start: float, decoding: int) -> None:
        """Nothing prefills: decode until the first mark."""
        self._start = start
        self.version += 1
        if decoding:
            kv = self._kv
            run = self._run = self._marks[0][0] - self._decoded
            seconds = self._beside_context[decoding] + kv * self._context + self._sequence * decoding
            first = self._first_us = seconds * MICROS
            growth = self._growth_us = kv * decoding * MICROS
            self.next_at = start + (run * first + growth * (run * (run - 1) // 2))  # _lasting
        else:
            self._run = 0
            self.next_at = None

    def _cut(self, now: float) -> None:
        """End the planned run with the step that is in progress at ``now``."""
        elapsed = now - self._start
        growth, first = self._growth_us, self._first_us
        half = first - growth / 2
        steps = ceil((sqrt(half * half + 2 * growth * max(0.0, elapsed)) - half) / growth)
        steps = max(1, min(self._run, steps))
        while steps < self._run and _lasting(steps, first, growth) < elapsed:  # the root was rounded
            steps += 1
        if steps < self._run:
            self._run = steps
            self.next_at = self._start + _lasting(steps, first, growth)
            self.version += 1

    def _admit(self, sequence: Sequence) -> int:
        """Hold the cached prefix and room for the rest: how many blocks the host tier supplies, or -1
        when the pool has no room."""
        blocks, cache = sequence.blocks, self.cache
        # The last prompt token is always computed: it yields the first output token.
        prompt = sequence.prompt
        most = (prompt - 1) // BLOCK_TOKENS
        here = cache.match(blocks, most) if blocks else 0
        hits = cache.match_host(blocks, here, most) if cache.host_capacity else here
        new = -(-(prompt + sequence.output - 1) // BLOCK_TOKENS) - here
        if not cache.acquire(blocks, here, new, hits - here):
            return -1
        sequence.named, sequence.unnamed = hits, new - (hits - here)
        sequence.cached = sequence.computed = hits * BLOCK_TOKENS
        sequence.state = PREFILL
        self.input_tokens += prompt
        used = cache.used
        if used > self.most_blocks:
            self.most_blocks = used
        return hits - here

    # What they produced

    def _book_chunks(self, end: float) -> None:
        for sequence, new in self._chunks:
            if sequence.state != PREFILL:
                continue
            self.computed_tokens += new
            computed = sequence.computed = sequence.computed + new
            blocks, named = sequence.blocks, sequence.named
            full = computed // BLOCK_TOKENS
            if full > len(blocks):
                full = len(blocks)
            if named < full:
                self.cache.commit(blocks, named, full)
                sequence.unnamed -= full - named
                sequence.named = full
            if computed == sequence.prompt:
                self._prefilling.remove(sequence)
                sequence.first_at = end
                self.output_tokens += 1
                self.firsts.append(sequence)
                self._told = True
                sequence.emitted = 1
                if sequence.output == 1:
                    self._finish(sequence)
                else:
                    sequence.state = DECODE
                    self._decoding += 1
                    self._context += sequence.prompt
                    self._mark(sequence)

    def _mark(self, sequence: Sequence) -> None:
        """Where this sequence next needs attention, in decode steps of the replica."""
        at = sequence.output
        if sequence.mark_from:
            next_mark = sequence.mark_from + self.mark_tokens
            if next_mark < at:
                at = next_mark
                sequence.mark_from = next_mark
        self._order += 1
        heappush(self._marks, (self._decoded + at - sequence.emitted, self._order, sequence, at))

    def _reach_marks(self) -> None:
        marks, decoded = self._marks, self._decoded
        while marks and marks[0][0] <= decoded:
            _, _, sequence, emitted = heappop(marks)
            if sequence.state == LEAVING:
                self._depart(sequence, emitted)
                continue
            sequence.emitted = emitted
            if emitted == sequence.output:
                self._decoding -= 1
                self._context -= sequence.prompt + emitted - 1
                self._finish(sequence)
            else:
                self.marked.append(sequence)
                self._told = True
                self._mark(sequence)

    def _finish(self, sequence: Sequence) -> None:
        sequence.state = OVER
        self._release(sequence)
        self.finished.append(sequence)
        self._told = True

    def _let_go(self) -> None:
        """Those aborted while they decoded leave the batch at the end of a step."""
        for sequence in self._leaving:
            if sequence.state == LEAVING:
                mark = self._mark_of(sequence)
                self._marks.remove(mark)
                heapify(self._marks)
                self._depart(sequence, mark[3] - (mark[0] - self._decoded))
        self._leaving.clear()

    def _depart(self, sequence: Sequence, emitted: int) -> None:
        """``emitted`` tokens were computed, one perhaps more than anybody was told of."""
        sequence.state = OVER
        self._decoding -= 1
        self._context -= sequence.prompt + emitted - 1
        self._release(sequence)

    def _mark_of(self, sequence: Sequence) -> tuple[int, int, Sequence, int]:
        return next(mark for mark in self._marks if mark[2] is sequence)

    def _release(self, sequence: Sequence) -> None:
        self.cache.release(sequence.blocks, sequence.named, sequence.unnamed)
        sequence.named = sequence.unnamed = 0


def _lasting(steps: int, first: float, growth: float) -> float:
    """Duration of decode steps of which each takes ``growth`` longer than the one before."""
    return steps * first + growth * (steps * (steps - 1) // 2)


def _blocks_for(prompt: int, output: int) -> int:
    """Blocks a whole request fills. The last output token is never fed back, so it needs no room."""
    return -(-(prompt + output - 1) // BLOCK_TOKENS)
