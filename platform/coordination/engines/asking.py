"""What is a replica asked next, and what does its answer mean?

Its metrics page, if it has one, says how it is. One that has none is asked whether it is well; some have no
address for that either, but a list of models. What was learned is kept until the replica is lost: it may come
back as another engine. The list of models is also asked for now and then where adapters are served.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from coordination.engines.dictionary import FIRST_ASKED
from coordination.engines.listing import Listing, read_listing
from coordination.engines.reading import Reading, read
from coordination.program.records import MILLION, Micros

Source = Literal["metrics", "health", "models", "requests"]
"""Where it is known from how a replica is; ``requests``: from nothing but its answers to them."""

HEALTH: Final = "/health"
MODELS: Final = "/v1/models"
LISTED_EVERY: Final[Micros] = 10 * MILLION
PAGE_AGAIN_AFTER: Final[Micros] = 60 * MILLION
"""When a replica without a page is asked for one again."""
NOT_THERE: Final = frozenset({404, 405, 410, 501})


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer told."""

    alive: bool | None
    """Whether it may be sent requests; ``None``: that has still to be asked, another way."""
    reading: Reading | None = None
    """Its metrics, if that was what it was asked for and has."""
    problem: str | None = None
    """Why it is not alive."""


class Asking:
    """One replica of a pool."""

    __slots__ = ("_asked", "_engine", "_listed_at", "_page_at", "_pages", "_way", "_ways", "listing")

    def __init__(self, engine: str) -> None:
        """``engine``: of its Pool."""
        self.listing: Listing | None = None
        """The models it listed last."""
        dialect = FIRST_ASKED.get(engine)
        pages = dialect.pages if dialect is not None else ("/metrics",)
        self._engine = engine
        self._pages = len(pages)
        self._ways = (*pages, HEALTH, MODELS)
        self._way = 0
        self._page_at: Micros = 0
        self._listed_at: Micros | None = None
        self._asked = ""

    @property
    def source(self) -> Source:
        """Where it is known from how it is."""
        if self._way < self._pages:
            return "metrics"
        return ("health", "models", "requests")[self._way - self._pages]

    def next(self, now: Micros, *, adapters: bool = False) -> str:
        """A path to GET. ``adapters``: whether some are served, so that the list of models matters."""
        if adapters and (self._listed_at is None or now - self._listed_at >= LISTED_EVERY):
            self._listed_at = now
            self._asked = MODELS
        else:
            self._asked = self._usual(now)
        return self._asked

    def answered(self, status: int, body: bytes, model: str = "") -> Answer:
        """It answered what was asked last. ``model``: what clients call the pool's."""
        asked = self._asked
        if asked == MODELS and status == 200:
            self.listing = read_listing(body)
        if asked != self._ways[min(self._way, len(self._ways) - 1)]:
            return Answer(None)  # its list was wanted for its own sake, and says nothing of its health
        if self._way < self._pages:
            reading = read(body, self._engine, model) if status == 200 else None
            if reading is not None and reading.engine is not None:
                return Answer(True, reading)
            self._way += 1
            return Answer(None)
        if status in NOT_THERE:
            self._way = min(self._way + 1, len(self._ways))
            return Answer(True if self._way == len(self._ways) else None)
        if status in (401, 403):
            return Answer(False, problem=f"{asked} answers {status}: it wants another key")
        if status >= 500:
            return Answer(False, problem=f"{asked} answers {status}")
        return Answer(True)

    def lost(self) -> None:
        """It did not answer: it may come back as another engine."""
        self._way = 0

    def _usual(self, now: Micros) -> str:
        if self._way >= self._pages and now - self._page_at >= PAGE_AGAIN_AFTER:
            self._way = 0
        if self._way < self._pages:
            self._page_at = now
        return self._ways[min(self._way, len(self._ways) - 1)]
