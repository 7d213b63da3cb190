"""What does a replica say of itself? Three gauges out of an engine's /metrics page, nothing else.

Found by searching for their names, not by parsing the page: a page of 58 KB holds hundreds of series
that nobody here reads. A gauge that is absent is unknown (``None``), never zero; an older name is a
fallback for a newer one and is never added to it.
"""

from __future__ import annotations

from coordination.program.records import MILLION
from coordination.scheduling.values import ReplicaReport

RUNNING = (b"vllm:num_requests_running",)
WAITING = (b"vllm:num_requests_waiting",)
KV_USED = (b"vllm:kv_cache_usage_perc", b"vllm:gpu_cache_usage_perc")
"""Current name first."""


def read_page(page: bytes, at: int) -> ReplicaReport:
    """``at``: policy-clock microseconds of the scrape."""
    running = _series(page, RUNNING)
    waiting = _series(page, WAITING)
    kv_used = _series(page, KV_USED)
    return ReplicaReport(
        at=at,
        waiting=None if waiting is None else round(sum(waiting)),
        running=None if running is None else round(sum(running)),
        kv_used_ppm=None if kv_used is None else round(max(kv_used) * MILLION),
    )


def _series(page: bytes, names: tuple[bytes, ...]) -> list[float] | None:
    """Values of all series (engine ranks, say) of the first name present."""
    for name in names:
        values = []
        position = page.find(name)
        while position >= 0:
            end = page.find(b"\n", position)
            line = page[position : end if end >= 0 else len(page)]
            begins_line = position == 0 or page[position - 1 : position] == b"\n"
            if begins_line and line[len(name) : len(name) + 1] in (b"{", b" "):
                value = _value(line[len(name) :])
                if value is not None:
                    values.append(value)
            position = page.find(name, position + len(line) + 1)
        if values:
            return values
    return None


def _value(rest: bytes) -> float | None:
    """The number behind the labels; a timestamp may follow it. NaN and infinities are unknown."""
    numbers = rest[rest.rfind(b"}") + 1 :].split()
    try:
        value = float(numbers[0])
    except (IndexError, ValueError):
        return None
    return value if 0 <= value < float("inf") else None
