"""How is this gateway doing, in numbers? Counters and histograms, written as Prometheus text."""

from __future__ import annotations

import resource
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from coordination.scheduling.values import Charge
from gateway.explanations import Explanation

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_BOUNDS_US = tuple(round(bound * 1_000_000) for bound in SECONDS)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Durations of one label value."""

    __slots__ = ("buckets", "total_us")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_BOUNDS_US) + 1)
        self.total_us = 0

    def add(self, micros: int) -> None:
        self.buckets[bisect_left(_BOUNDS_US, micros)] += 1
        self.total_us += micros


class Metrics:
    """Everything counted since start."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[int, str, str]] = Counter()
        """(HTTP status, error code or empty, tier asked for)."""
        self.token_counts: Counter[tuple[str, str]] = Counter()
        """(tier served, token class)."""
        self._ttft: dict[str, Histogram] = {}
        self._queue: dict[str, Histogram] = {}
        self._duration: dict[str, Histogram] = {}

    def ttft(self, tier: str, micros: int) -> None:
        """Arrival of the request to the first byte from the engine."""
        _of(self._ttft, tier).add(micros)

    def tokens(self, charge: Charge) -> None:
        usage, counts = charge.usage, self.token_counts
        counts[charge.tier, "uncached_input"] += usage.uncached_input
        counts[charge.tier, "cached_input"] += usage.cached_input
        counts[charge.tier, "output"] += usage.output

    def finished(self, explanation: Explanation) -> None:
        """One request is over, however it ended."""
        tier = explanation.decision.tier if explanation.decision else ""
        code = explanation.problem.code if explanation.problem else ""
        self.requests[explanation.status, code, tier] += 1
        if explanation.dispatches:
            _of(self._queue, tier).add(explanation.dispatches[-1].queue_us)
            _of(self._duration, tier).add(explanation.finished - explanation.arrived)

    def page(
        self,
        *,
        queue_depths: dict[tuple[str, int], int],
        replicas: Iterable[tuple[str, str, bool]],
        connections: int,
        in_flight: int,
        bundle: str,
    ) -> bytes:
        """The exposition. ``replicas``: (pool, base URL, reachable)."""
        lines: list[str] = []
        _family(lines, "headway_requests_total", "counter", "Requests answered, by HTTP status and code.")
        for (status, code, tier), count in sorted(self.requests.items()):
            lines.append(f'headway_requests_total{{status="{status}",code="{code}",tier="{tier}"}} {count}')
        _family(lines, "headway_tokens_total", "counter", "Tokens settled, by tier served and class.")
        for (tier, kind), count in sorted(self.token_counts.items()):
            lines.append(f'headway_tokens_total{{tier="{tier}",class="{kind}"}} {count}')
        _family(lines, "headway_queue_depth", "gauge", "Requests waiting, by pool and band.")
        for (pool, band), depth in sorted(queue_depths.items()):
            lines.append(f'headway_queue_depth{{pool="{pool}",band="{band}"}} {depth}')
        _family(lines, "headway_replica_up", "gauge", "Whether the replica answered the last scrape.")
        for pool, url, up in replicas:
            lines.append(f'headway_replica_up{{pool="{pool}",replica="{url}"}} {int(up)}')
        _histograms(lines, "headway_time_to_first_token_seconds", "Arrival to first byte.", self._ttft)
        _histograms(lines, "headway_queue_seconds", "Arrival in the queue to dispatch.", self._queue)
        _histograms(lines, "headway_request_seconds", "Arrival to last byte.", self._duration)
        used = resource.getrusage(resource.RUSAGE_SELF)
        for name, kind, text, value in (
            ("headway_connections", "gauge", "Client connections.", connections),
            ("headway_in_flight", "gauge", "Requests at a replica.", in_flight),
            ("process_cpu_seconds_total", "counter", "CPU time.", used.ru_utime + used.ru_stime),
            ("process_max_resident_memory_bytes", "gauge", "Peak memory.", used.ru_maxrss * 1024),
        ):
            _family(lines, name, kind, text)
            lines.append(f"{name} {value}")
        _family(lines, "headway_bundle_info", "gauge", "The bundle being enforced.")
        lines.append(f'headway_bundle_info{{digest="{bundle}"}} 1')
        return ("\n".join(lines) + "\n").encode()


def _of(histograms: dict[str, Histogram], label: str) -> Histogram:
    found = histograms.get(label)
    if found is None:
        found = histograms[label] = Histogram()
    return found


def _family(lines: list[str], name: str, kind: str, text: str) -> None:
    lines.append(f"# HELP {name} {text}")
    lines.append(f"# TYPE {name} {kind}")


def _histograms(lines: list[str], name: str, text: str, histograms: dict[str, Histogram]) -> None:
    _family(lines, name, "histogram", text)
    for tier, histogram in sorted(histograms.items()):
        running = 0
        for bound, count in zip(SECONDS, histogram.buckets, strict=False):
            running += count
            lines.append(f'{name}_bucket{{tier="{tier}",le="{bound}"}} {running}')
        running += histogram.buckets[-1]
        lines.append(f'{name}_bucket{{tier="{tier}",le="+Inf"}} {running}')
        lines.append(f'{name}_sum{{tier="{tier}"}} {histogram.total_us / 1_000_000}')
        lines.append(f'{name}_count{{tier="{tier}"}} {running}')
