"""What does an engine compute next, and what has it produced? Continuous batching, step by step.

The caller owns time: ``begin`` fixes the next step and says how long it takes; ``complete`` books its
results at the instant given. One step holds a token of every decoding sequence first, then chunks of
prefills already begun, then as many waiting requests as fit, in order of arrival: within the token
budget, the sequence limit and the room in the KV pool.

A request is admitted only if the pool has room for its whole prompt and output (a simulated engine
knows the output's length), so nothing is ever preempted or recomputed. This is the one place where the
model is kinder than a real engine, which admits on the prompt and preempts when it was wrong.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from coordination.capacity import CHUNK_TOKENS, BlockCache, Profile, StepModel, step_model
from simfleet.tokens import BLOCK_TOKENS

FinishReason = Literal["stop", "length"]
State = Literal["waiting", "prefill", "decode", "finished", "aborted"]


@dataclass(frozen=True, slots=True)
class Work:
    """What one request asks of the engine."""

    prompt_tokens: int
    output_tokens: int
    finish: FinishReason = "length"
    blocks: tuple[int, ...] = ()
    """Chained names of the full blocks of prompt and output; empty: nothing is shared."""


@dataclass(slots=True, eq=False)
class Sequence:
    """A request inside the engine. Instants in seconds of the caller's clock."""

    key: int
    work: Work
    arrived: float
    state: State = "waiting"
    cached_tokens: int = 0
    computed: int = 0
    """Tokens whose keys and values are in the pool."""
    emitted: int = 0
    """Output tokens produced."""
    named: int = 0
    unnamed: int = 0
    admitted_at: float = 0.0
    """This and the next three mean something once the event has happened."""
    first_token_at: float = 0.0
    previous_token_at: float = 0.0
    last_token_at: float = 0.0

    @property
    def live(self) -> bool:
        """Does the engine still owe this request something?"""
        return self.state not in ("finished", "aborted")


@dataclass(frozen=True, slots=True)
class Step:
    """One forward pass: what is in it and how long it takes."""

    seconds: float
    decodes: list[Sequence]
    prefills: list[tuple[Sequence, int]]
    """Each prefilling sequence with its number of new tokens."""
    admitted: list[Sequence]

    @property
    def tokens(self) -> int:
        return len(self.decodes) + sum(new for _, new in self.prefills)


@dataclass(slots=True)
class Outcome:
    """What a completed step produced."""

    emitted: list[Sequence] = field(default_factory=list)
    """Each got exactly one output token; those that finished are among them."""
    finished: list[Sequence] = field(default_factory=list)


class Engine:
    """Batch scheduler and prefix cache of one replica."""

    def __init__(
        self,
        profile: Profile,
        *,
        kv_tokens: int | None = None,
        max_sequences: int | None = None,
        chunk_tokens: int = CHUNK_TOKENS,
    ) -> None:
        self.model: StepModel = step_model(profile)
        self.cache = BlockCache((kv_tokens or profile.kv_tokens) // BLOCK_TOKENS)
        self.max_sequences = max_sequences or profile.max_sequences
        self.chunk_tokens = chunk_tokens
        if self.max_sequences > chunk_tokens:
            raise ValueError("every decoding sequence must fit into one step's token budget")
        self.waiting: deque[Sequence] = deque()
        self._prefilling: list[Sequence] = []
        self._decoding: dict[int, Sequence] = {}
        self._decode_context = 0  # sum of the contexts of all that decode
        self._next_key = 0

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return len(self._prefilling) + len(self._decoding)

    @property
    def idle(self) -> bool:
        return not (self._decoding or self._prefilling or self.waiting)

    def fits(self, prompt_tokens: int, output_tokens: int) -> bool:
        """Could this request ever be admitted?"""
        return _blocks_for(prompt_tokens, output_tokens) <= self.cache.capacity

    def submit(self, work: Work, now: float) -> Sequence:
        """Append a request to the queue. Raises ``ValueError`` if it can never run."""
        if work.prompt_tokens < 1 or work.output_tokens < 1:
            raise ValueError("a request has at least one prompt token and one output token")
        if not self.fits(work.prompt_tokens, work.output_tokens):
            raise ValueError("the request is larger than the whole KV pool")
        sequence = Sequence(self._next_key, work, now)
        self._next_key += 1
        self.waiting.append(sequence)
        return sequence

    def abort(self, sequence: Sequence) -> None:
        """Drop a request wherever it is and free what it holds. Idempotent."""
        if sequence.state == "waiting":
            self.waiting.remove(sequence)
        elif sequence.state == "prefill":
            self._prefilling.remove(sequence)
        elif sequence.state == "decode":
            self._leave_decode(sequence)
        else:
            return
        sequence.state = "aborted"
        self._release(sequence)

    def begin(self, now: float) -> Step | None:
        """Fix the next step, or None if there is nothing to compute."""
        decodes = list(self._decoding.values())
        budget = self.chunk_tokens - len(decodes)
        prefills: list[tuple[Sequence, int]] = []
        attended = 0.0
        for sequence in self._prefilling:
            budget, attended = self._chunk(sequence, budget, attended, prefills)
        admitted: list[Sequence] = []
        while budget > 0 and self.waiting and self.running < self.max_sequences:
            if not self._admit(self.waiting[0], now):
                break
            sequence = self.waiting.popleft()
            self._prefilling.append(sequence)
            admitted.append(sequence)
            budget, attended = self._chunk(sequence, budget, attended, prefills)
        if not decodes and not prefills:
            return None
        tokens = self.chunk_tokens - budget
        seconds = self.model.seconds(tokens, attended, len(decodes), self._decode_context)
        return Step(seconds, decodes, prefills, admitted)

    def complete(self, step: Step, now: float) -> Outcome:
        """Book a step's results. Sequences aborted meanwhile get nothing."""
        outcome = Outcome()
        for sequence in step.decodes:
            if sequence.state == "decode":
                sequence.computed += 1
                self._decode_context += 1
                self._name_blocks(sequence)
                self._emit(sequence, now, outcome)
        for sequence, new in step.prefills:
            if sequence.state != "prefill":
                continue
            sequence.computed += new
            self._name_blocks(sequence)
            if sequence.computed == sequence.work.prompt_tokens:
                self._prefilling.remove(sequence)
                self._decoding[sequence.key] = sequence
                self._decode_context += sequence.computed
                sequence.state = "decode"
                sequence.first_token_at = now
                self._emit(sequence, now, outcome)
        return outcome

    def _chunk(
        self, sequence: Sequence, budget: int, attended: float, prefills: list[tuple[Sequence, int]]
    ) -> tuple[int, float]:
        """Put as much of a prefill into the step as the budget allows."""
        new = min(budget, sequence.work.prompt_tokens - sequence.computed)
        if new <= 0:
            return budget, attended
        prefills.append((sequence, new))
        return budget - new, attended + new * (sequence.computed + new / 2)

    def _admit(self, sequence: Sequence, now: float) -> bool:
        """Hold the cached prefix and room for the rest; False if the pool has no room."""
        work = sequence.work
        # The last prompt token is always computed: it yields the first output token.
        hits = self.cache.match(work.blocks, (work.prompt_tokens - 1) // BLOCK_TOKENS)
        new = _blocks_for(work.prompt_tokens, work.output_tokens) - hits
        if not self.cache.acquire(work.blocks, hits, new):
            return False
        sequence.named, sequence.unnamed = hits, new
        sequence.cached_tokens = sequence.computed = hits * BLOCK_TOKENS
        sequence.admitted_at = now
        sequence.state = "prefill"
        return True

    def _name_blocks(self, sequence: Sequence) -> None:
        """Blocks that filled up can be shared from now on."""
        full = min(sequence.computed // BLOCK_TOKENS, len(sequence.work.blocks))
        if sequence.named < full:
            self.cache.commit(sequence.work.blocks, sequence.named, full)
            sequence.unnamed -= full - sequence.named
            sequence.named = full

    def _emit(self, sequence: Sequence, now: float, outcome: Outcome) -> None:
        sequence.emitted += 1
        sequence.previous_token_at, sequence.last_token_at = sequence.last_token_at, now
        outcome.emitted.append(sequence)
        if sequence.emitted == sequence.work.output_tokens:
            self._leave_decode(sequence)
            sequence.state = "finished"
            self._release(sequence)
            outcome.finished.append(sequence)

    def _leave_decode(self, sequence: Sequence) -> None:
        del self._decoding[sequence.key]
        self._decode_context -= sequence.computed

    def _release(self, sequence: Sequence) -> None:
        self.cache.release(sequence.work.blocks, sequence.named, sequence.unnamed)
        sequence.named = sequence.unnamed = 0


def _blocks_for(prompt_tokens: int, output_tokens: int) -> int:
    """Blocks a whole request fills. The last output token is never fed back, so it needs no room."""
    return -(-(prompt_tokens + output_tokens - 1) // BLOCK_TOKENS)
