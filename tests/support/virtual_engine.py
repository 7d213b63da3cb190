"""One simulated replica without a clock: what it answered, and the pages of metrics it would have shown."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import log

from coordination.capacity import Profile
from coordination.traces.recorded import Recorded, line, opening
from simfleet.engine import Engine, Sequence, Work
from simfleet.meters import Meters

EPOCH = 1_767_225_600_000_000
LONGEST_US = 3_600_000_000


@dataclass(frozen=True)
class Asked:
    at: float
    work: Work


def traffic(
    count: int, rate: float, *, prompt: float = 1500, output: float = 200, seed: int = 3
) -> list[Asked]:
    """``rate`` requests a second, twice and half as many by turns; some share what they begin with."""
    draw = random.Random(seed)
    now, found = 0.0, []
    for number in range(count):
        now += draw.expovariate(rate) * (0.5 if number // 40 % 2 else 2.0)
        tokens = min(40_000, max(16, int(draw.lognormvariate(log(prompt), 0.9))))
        answer = max(1, int(draw.lognormvariate(log(output), 0.6)))
        shared = tuple(range(1, 1 + min(4, tokens // 128))) if draw.random() < 0.4 else ()
        found.append(Asked(now, Work(tokens, answer, blocks=shared)))
    return found


@dataclass(frozen=True)
class Served:
    answers: list[tuple[Asked, Sequence]]
    pages: list[bytes]

    def recording(self, *, overhead: float = 0.0008, replica: str = "http://one") -> bytes:
        """As ``headway gateway --record`` writes it; all is told ``overhead`` seconds late."""

        def instant(seconds: float) -> int:
            return EPOCH + round(seconds * 1e6)

        records = [
            Recorded(
                at=instant(asked.at),
                ended=instant(answer.last_token_at + overhead),
                tenant="acme",
                model="m",
                input_tokens=asked.work.prompt_tokens,
                output_tokens=asked.work.output_tokens,
                replica=replica,
                sent=instant(asked.at),
                first=instant(answer.first_token_at + overhead),
                cached=answer.cached_tokens,
            )
            for asked, answer in self.answers
        ]
        records.sort(key=lambda one: one.ended)
        return opening(LONGEST_US) + b"".join(map(line, records))


def serve(profile: Profile, asked: list[Asked], *, scrape_every: float = 30.0) -> Served:
    """All of it to the end, step by step."""
    engine, meters = Engine(profile), Meters("m", max_model_len=131_072)
    answers: list[tuple[Asked, Sequence]] = []
    pages: list[bytes] = []
    coming = iter(asked)
    upcoming = next(coming, None)
    now, scrape_at = 0.0, scrape_every

    def take() -> None:
        nonlocal upcoming
        while upcoming is not None and upcoming.at <= now:
            answers.append((upcoming, engine.submit(upcoming.work, upcoming.at)))
            upcoming = next(coming, None)

    while upcoming is not None or not engine.idle:
        if engine.idle and upcoming is not None:
            now = max(now, upcoming.at)
        take()
        step = engine.begin(now)
        assert step is not None
        meters.began(step)
        now += step.seconds
        take()
        while scrape_at < now:
            pages.append(meters.page(engine))
            scrape_at += scrape_every
        meters.completed(step, engine.complete(step, now))
    pages.append(meters.page(engine))
    return Served(answers, pages)
