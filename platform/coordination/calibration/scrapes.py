"""What an engine told of itself: pages of its /metrics, scraped one after another (vLLM's names).

Two averages of each stretch between two pages are compared. The prefill time of the requests that ended in
it: their prompts' lengths are known by the histogram, so each is so many chunks. And the mean gap between
tokens, which is the mean duration of a step that decoded: a share of those steps held prefill. More decode
together while prompts come in than on average, by a factor that no counter tells (``bunching``) and that is
fitted with the rest. Where hardly anything decoded (fewer than ``FEWEST_DECODES`` a step) many steps were
prefill alone, which no gap shows: there only prefills are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from coordination.calibration.evidence import EvidenceError, Seen
from coordination.calibration.exposition import Page, increase, moments, read_page, spread
from coordination.capacity import CHUNK_TOKENS, StepModel

STEPS: Final = "vllm:iteration_tokens_total"
GAPS: Final = "vllm:inter_token_latency_seconds"
OLD_GAPS: Final = "vllm:time_per_output_token_seconds"
FIRSTS: Final = "vllm:time_to_first_token_seconds"
PREFILLS: Final = "vllm:request_prefill_time_seconds"
QUEUES: Final = "vllm:request_queue_time_seconds"
PROMPTS: Final = "vllm:request_prompt_tokens"
OUTPUTS: Final = "vllm:request_generation_tokens"
PROMPT_TOKENS: Final = "vllm:prompt_tokens_total"
CACHED_TOKENS: Final = ("vllm:prompt_tokens_cached_total", "vllm:prefix_cache_hits_total")
PREEMPTIONS: Final = "vllm:num_preemptions_total"
CONFIG: Final = "vllm:cache_config_info"
WANTED: Final = (
    STEPS,
    GAPS,
    OLD_GAPS,
    FIRSTS,
    PREFILLS,
    QUEUES,
    PROMPTS,
    OUTPUTS,
    PROMPT_TOKENS,
    *CACHED_TOKENS,
    PREEMPTIONS,
)

FEWEST_DECODES: Final = 2.0
FEWEST_PROMPTS: Final = 10
CROWDED: Final = 0.25
"""Mean wait in the engine's queue, over the mean prefill: above it prompts were computed together."""
FEWEST_STEPS: Final = 20
FEWEST: Final = 8
MOST_PAGES: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Gaps:
    """The mean gap between tokens in one stretch: an average step, and the prefills among all."""

    decodes: float
    """A step."""
    context: float
    """Of one decode."""
    full: float
    """Share of the steps that hold a whole chunk of prefill."""
    partial: float
    """Share of the steps that hold the end of one."""
    rest: float
    """Prompt tokens of such an end."""
    attended: float
    """A step."""

    def seconds(self, model: StepModel, bunching: float) -> float:
        decodes, held = self.decodes, self.full + self.partial
        found = model.seconds(0, 0.0, 0, 0) - _blended(model, 0.0)
        found += decodes * (model.kv * self.context + model.sequence)
        if not held:
            return found + _blended(model, decodes)
        share = min(1.0, bunching * held)  # of the tokens that were decoded beside a prefill
        prefill = (
            self.full * _blended(model, CHUNK_TOKENS)
            + self.partial * _blended(model, self.rest + decodes)
            + model.attention * self.attended
        ) / held
        return found + (1.0 - share) * _blended(model, decodes) + share * prefill


@dataclass(frozen=True, slots=True)
class _Prefills:
    """The mean prefill time of the requests that ended in one stretch."""

    prompts: tuple[tuple[float, float, float], ...]
    """(share of the requests, uncached tokens, tokens before them)."""
    decodes: float
    context: float

    def seconds(self, model: StepModel) -> float:
        decodes = self.decodes
        beside = model.seconds(0, 0.0, 0, 0) - _blended(model, 0.0)
        beside += decodes * (model.kv * self.context + model.sequence)
        room = max(1.0, CHUNK_TOKENS - decodes)
        found = 0.0
        for share, uncached, before in self.prompts:
            whole = uncached // room
            rest = uncached - whole * room
            took = whole * (beside + _blended(model, CHUNK_TOKENS))
            if rest:
                took += beside + _blended(model, rest + decodes)
            found += share * (took + model.attention * uncached * (before + uncached / 2))
        return found


def _blended(model: StepModel, tokens: float) -> float:
    both: float = (model.weights + (model.linear * tokens) ** model.blend) ** (1.0 / model.blend)
    return both + model.token * tokens


class Scrapes:
    """Evidence of averages. The last fifth of the stretches is held out."""

    source = "metrics"
    extra = ("bunching", 1.3)

    def __init__(self, series: Sequence[Sequence[tuple[str, bytes]]]) -> None:
        """``series``: for each engine its pages, (file, content), in order of time. Raises
        ``EvidenceError``."""
        self._models: list[_Gaps | _Prefills] = []
        self.names: list[str] = []
        self.measured: list[float] = []
        self.held_out: list[bool] = []
        self.kv_tokens: int | None = None
        """What the engine says its cache holds."""
        thin = restarts = preempted = 0
        if sum(map(len, series)) > MOST_PAGES:
            raise EvidenceError("", 0, f"more than {MOST_PAGES} pages")
        for pages in series:
            read = [read_page(file, data, WANTED, (CONFIG,)) for file, data in pages]
            for page in read:
                if f"{STEPS}_count" not in page.values:
                    raise EvidenceError(
                        page.file, 0, f"a page without {STEPS}, which counts an engine's steps"
                    )
            self.kv_tokens = self.kv_tokens or _kv_tokens(read)
            lasting = _Lengths(read)
            stretches = list(pairwise(read))
            for place, (before, after) in enumerate(stretches):
                if increase(before, after, f"{STEPS}_count") < 0:
                    restarts += 1
                    continue
                preempted += round(max(0.0, increase(before, after, PREEMPTIONS)))
                out = place >= len(stretches) * 0.8
                for found in (_gaps(before, after, lasting), _prefills(before, after, lasting)):
                    if found is None:
                        thin += 1
                        continue
                    model, seconds = found
                    self._models.append(model)
                    self.measured.append(seconds)
                    self.names.append("itl" if isinstance(model, _Gaps) else "prefill")
                    self.held_out.append(out)
        if len(self.measured) < FEWEST:
            raise EvidenceError(
                "",
                0,
                f"{len(self.measured)} averages between two pages can be used, {FEWEST} are needed: "
                f"stretches of {FEWEST_STEPS} steps with {FEWEST_DECODES:g} decodes each, or of "
                f"{FEWEST_PROMPTS} prompts; scrape under load",
            )
        gaps = [one for one in self._models if isinstance(one, _Gaps)]
        prompts = [u for one in self._models if isinstance(one, _Prefills) for _, u, _ in one.prompts]
        self.seen = Seen(
            round(max((one.decodes for one in gaps), default=0)),
            min(CHUNK_TOKENS, round(max([*prompts, *(one.rest for one in gaps)], default=0))),
            round(max(one.context for one in self._models)),
        )
        notes = []
        if thin:
            notes.append(f"{thin} averages over too few steps, decodes or prompts are left out")
        if restarts:
            notes.append(f"counters went back {restarts} times: an engine was started again there")
        if preempted:
            notes.append(f"{preempted} preemptions: what was computed twice is not accounted for")
        self.notes = tuple(notes)

    def replayed(self, model: StepModel, extra: float) -> dict[str, tuple[list[float], list[float]]]:
        del model, extra
        return {}

    def expected(self, model: StepModel, extra: float) -> list[float]:
        return [
            one.seconds(model, extra) if isinstance(one, _Gaps) else one.seconds(model)
            for one in self._models
        ]


class _Lengths:
    """How long prompts and answers were over a whole series: what one stretch saw end is too few."""

    def __init__(self, pages: Sequence[Page]) -> None:
        first, last = Page(pages[0].file), pages[-1]
        if len(pages) > 1 and all(increase(a, b, f"{STEPS}_count") >= 0 for a, b in pairwise(pages)):
            first = pages[0]
        prompt, prompt_squares = moments(first, last, PROMPTS)
        output, output_squares = moments(first, last, OUTPUTS)
        self.context = prompt + (output_squares / (2 * output) if output else 0.0)
        """A decode's, on average: a long answer decodes more often."""
        self.variety = prompt_squares / (prompt * prompt) if prompt else 1.0


def _gaps(before: Page, after: Page, lengths: _Lengths) -> tuple[_Gaps, float] | None:
    steps = increase(before, after, f"{STEPS}_count")
    gaps = GAPS if f"{GAPS}_count" in after.values else OLD_GAPS
    decoded = increase(before, after, f"{gaps}_count")
    waited = increase(before, after, f"{gaps}_sum")
    if steps < FEWEST_STEPS or decoded < FEWEST_DECODES * steps or waited <= 0:
        return None
    prompts = increase(before, after, f"{FIRSTS}_count")
    cached = _cached(before, after)
    uncached = max(0.0, increase(before, after, PROMPT_TOKENS) - cached)
    full = partial = rest = attended = 0.0
    if prompts > 0 and uncached > 0:
        each, before_it = uncached / prompts, cached / prompts
        room = CHUNK_TOKENS - decoded / steps
        whole = each // room
        rest = each - whole * room
        full, partial = whole * prompts / steps, prompts / steps
        attended = lengths.variety * each * (before_it + each / 2) * prompts / steps
        if full + partial > 1.0:  # several prefills share a step
            full = min(1.0, uncached / CHUNK_TOKENS / steps)
            partial = 1.0 - full
            rest = max(0.0, uncached / steps - full * room) / partial if partial else 0.0
    return _Gaps(decoded / steps, lengths.context, full, partial, rest, attended), waited / decoded


def _prefills(before: Page, after: Page, lengths: _Lengths) -> tuple[_Prefills, float] | None:
    ended = increase(before, after, f"{PREFILLS}_count")
    took = increase(before, after, f"{PREFILLS}_sum")
    steps = increase(before, after, f"{STEPS}_count")
    prompts = spread(before, after, PROMPTS)
    if increase(before, after, f"{QUEUES}_sum") > CROWDED * took:
        return None
    if ended < FEWEST_PROMPTS or took <= 0 or not prompts or steps <= 0:
        return None
    told = increase(before, after, PROMPT_TOKENS)
    found = min(1.0, _cached(before, after) / told) if told > 0 else 0.0
    parts = tuple((share, max(1.0, length * (1 - found)), length * found) for share, length in prompts)
    decoded = max(
        0.0, increase(before, after, f"{GAPS}_count") + increase(before, after, f"{OLD_GAPS}_count")
    )
    return _Prefills(parts, decoded / steps, lengths.context), took / ended


def _cached(before: Page, after: Page) -> float:
    found = next((increase(before, after, name) for name in CACHED_TOKENS if name in after.values), 0.0)
    return max(0.0, found)


def _kv_tokens(pages: Sequence[Page]) -> int | None:
    for page in reversed(pages):
        labels = page.labels.get(CONFIG, {})
        try:
            tokens = int(labels["num_gpu_blocks"]) * int(labels["block_size"])
        except (KeyError, ValueError):
            continue
        if 512 <= tokens <= 10**12:
            return tokens
    return None
