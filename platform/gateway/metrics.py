"""How is this gateway doing, in numbers? Counters and histograms, written as Prometheus text."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from coordination.program.index import Program
from coordination.program.records import MILLION, ObjectiveRecord
from coordination.scheduling import Decision
from gateway.ended import Alike, Histogram
from gateway.explanations import Explanation
from gateway.genai import GenAi
from gateway.telemetry.meter import Meter, attained

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
BOUNDS_US = tuple(round(bound * 1_000_000) for bound in SECONDS)
_TOGETHER = 32
"""Requests that ended alike are counted in one go when there are so many."""
_KEPT_BACK = 128
"""Kinds of requests of which some are not counted yet."""
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Served:
    """What one tier was served."""

    __slots__ = (
        "cache_write",
        "cached_input",
        "duration",
        "output",
        "queue",
        "reasoning",
        "ttft",
        "uncached_input",
    )

    def __init__(self) -> None:
        self.ttft = Histogram(BOUNDS_US)
        """Arrival of the request to the first byte from the engine."""
        self.queue = Histogram(BOUNDS_US)
        self.duration = Histogram(BOUNDS_US)
        self.uncached_input = 0
        self.cached_input = 0
        self.cache_write = 0
        self.output = 0
        self.reasoning = 0


class Metrics:
    """Everything counted since start."""

    def __init__(self) -> None:
        self._ended: dict[tuple[object, ...], list[Explanation]] = {}
        """Not counted yet, by everything they are counted under; they are before anybody looks."""
        self._requests: dict[tuple[int, str, str], int] = {}
        """(HTTP status, error code or empty, tier served) -> requests."""
        self._served: dict[str, Served] = {}
        self.objectives: dict[tuple[str, ObjectiveRecord], tuple[int, int]] = {}
        """(tier served, promise) -> how often it was kept, of how often it was given."""
        self.usage_disbelieved = 0
        """Answers whose engine told of usage that cannot be."""
        self._gen_ai = GenAi()
        self.meter = Meter(before=self._count_all)
        """The same by tenant, model and replica, for the console's sake: since its last look."""

    def finished(self, explanation: Explanation, program: Program) -> None:
        """One request is over, however it ended, and nothing of its explanation changes any more. It is held
        to what its tier promises at that time."""
        decision, problem, dispatches = explanation.decision, explanation.problem, explanation.dispatches
        if decision is not None:
            promised = program.tiers.get(decision.tier)
            if promised is not None and promised.counted:
                self._hold_to(promised.counted, explanation, decision)
        names = (
            explanation.tenant,
            explanation.stream,
            explanation.status,
            explanation.outcome,
            None if problem is None else problem.code,
            dispatches[-1].replica if dispatches else None,
            None  # what a client wrote is no name of a kind until the policy has known it
            if decision is None
            else (
                explanation.operation,
                explanation.model,
                decision.request.model,
                decision.tier,
                decision.pool,
                decision.reservation,
            ),
        )
        alike = self._ended.get(names)
        if alike is None:
            if len(self._ended) >= _KEPT_BACK:
                self._count(next(iter(self._ended)))
            self._ended[names] = [explanation]
        else:
            alike.append(explanation)
            if len(alike) >= _TOGETHER:
                self._count(names)

    def _hold_to(
        self, promised: Iterable[ObjectiveRecord], explanation: Explanation, decision: Decision
    ) -> None:
        tier = decision.tier
        explanation.attained = attained(explanation, promised)
        for objective, kept, given in explanation.attained:
            self.meter.cell_of(explanation).held_to(objective, kept, given)
            before = self.objectives.get((tier, objective), (0, 0))
            self.objectives[tier, objective] = (before[0] + kept, before[1] + given)

    def _count_all(self) -> None:
        for names in list(self._ended):
            self._count(names)

    def _count(self, names: tuple[object, ...]) -> None:
        group = Alike(self._ended.pop(names))
        self.meter.add(group)
        self._gen_ai.add(group)
        self._add(group)

    def _add(self, group: Alike) -> None:
        one = group.one
        tier = one.decision.tier if one.decision is not None else ""
        key = (one.status, one.problem.code if one.problem is not None else "", tier)
        self._requests[key] = self._requests.get(key, 0) + len(group.all)
        if not one.dispatches:
            return
        served = self._served.get(tier)
        if served is None:
            served = self._served[tier] = Served()
        served.queue.extend([each.dispatches[-1].queue_us for each in group.all])
        served.duration.extend(group.durations)
        served.ttft.extend(group.to_first_byte)
        tokens = group.tokens()
        served.uncached_input += tokens.uncached_input
        served.cached_input += tokens.cached_input
        served.cache_write += tokens.cache_write
        served.output += tokens.output
        served.reasoning += tokens.reasoning

    def page(
        self,
        *,
        queue_depths: dict[tuple[str, int], int],
        replicas: Iterable[tuple[str, str, bool]],
        connections: int,
        in_flight: int,
        bundle: str,
        shadowed: Iterable[tuple[str, str, str, int]] = (),
        shortfalls: Mapping[str, int] = MappingProxyType({}),
        kept: Mapping[str, tuple[int, int]] = MappingProxyType({}),
        recurrences_end: int | None = None,
        used_by_workers: tuple[float, int] = (0.0, 0),
    ) -> bytes:
        """The exposition. ``replicas``: (pool, base URL, reachable); ``shadowed``: (quota, dimension,
        period, requests that this limit in shadow would have refused); ``shortfalls``: by reservation;
        ``kept``: by reservation, (promised in time, honoured); ``used_by_workers``: processor seconds and
        bytes beside this process's own."""
        self._count_all()
        lines: list[str] = []
        _family(lines, "headway_requests_total", "counter", "Requests answered, by HTTP status and code.")
        for (status, code, tier), count in sorted(self._requests.items()):
            lines.append(f'headway_requests_total{{status="{status}",code="{code}",tier="{tier}"}} {count}')
        _family(lines, "headway_tokens_total", "counter", "Tokens settled, by tier served and class.")
        tiers = sorted(self._served.items())
        for tier, served in tiers:
            for kind in ("uncached_input", "cached_input", "cache_write", "output", "reasoning"):
                count = getattr(served, kind)
                lines.append(f'headway_tokens_total{{tier="{tier}",class="{kind}"}} {count}')
        told = sorted(shadowed)
        if told:
            _family(
                lines,
                "headway_shadow_refusals_total",
                "counter",
                "Requests that a limit in shadow would have refused.",
            )
        for quota, of, per, count in told:
            labels = f'quota="{quota}",of="{of}",per="{per}"'
            lines.append(f"headway_shadow_refusals_total{{{labels}}} {count}")
        if shortfalls:
            _family(
                lines,
                "headway_reservation_shortfall_total",
                "counter",
                "Requests within a reservation that lost capacity kept from its lane.",
            )
        for reservation, count in sorted(shortfalls.items()):
            lines.append(f'headway_reservation_shortfall_total{{reservation="{reservation}"}} {count}')
        for position, name, text in (
            (0, "headway_reservation_promised_total", "Requests promised their first byte in time (R8)."),
            (1, "headway_reservation_honoured_total", "Of these, those that had it in time."),
        ):
            if kept:
                _family(lines, name, "counter", text)
            for reservation, counts in sorted(kept.items()):
                lines.append(f'{name}{{reservation="{reservation}"}} {counts[position]}')
        lines += _attainment(self.objectives)
        _family(lines, "headway_queue_depth", "gauge", "Requests waiting, by pool and band.")
        for (pool, band), depth in sorted(queue_depths.items()):
            lines.append(f'headway_queue_depth{{pool="{pool}",band="{band}"}} {depth}')
        _family(lines, "headway_replica_up", "gauge", "Whether the replica answered the last scrape.")
        for pool, url, up in replicas:
            lines.append(f'headway_replica_up{{pool="{pool}",replica="{url}"}} {int(up)}')
        for name, text, histograms in (
            (
                "headway_time_to_first_token_seconds",
                "Arrival to first byte.",
                [(t, s.ttft) for t, s in tiers],
            ),
            ("headway_queue_seconds", "Arrival in the queue to dispatch.", [(t, s.queue) for t, s in tiers]),
            ("headway_request_seconds", "Arrival to last byte.", [(t, s.duration) for t, s in tiers]),
        ):
            _histograms(lines, name, text, histograms)
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s, rss_bytes = used_by_workers
        for name, kind, text, value in (
            ("headway_connections", "gauge", "Client connections.", connections),
            ("headway_in_flight", "gauge", "Requests at a replica.", in_flight),
            ("process_cpu_seconds_total", "counter", "CPU time.", used.ru_utime + used.ru_stime + cpu_s),
            ("process_max_resident_memory_bytes", "gauge", "Peak memory.", used.ru_maxrss * 1024 + rss_bytes),
        ):
            _family(lines, name, kind, text)
            lines.append(f"{name} {value}")
        _family(lines, "headway_usage_disbelieved_total", "counter", "Answers with usage that cannot be.")
        lines.append(f"headway_usage_disbelieved_total {self.usage_disbelieved}")
        lines += self._gen_ai.lines()
        if recurrences_end is not None:
            text = "Unix time from which nothing recurs any more, unless a later build comes."
            _family(lines, "headway_recurrences_end_seconds", "gauge", text)
            lines.append(f"headway_recurrences_end_seconds {recurrences_end // 1_000_000}")
        _family(lines, "headway_bundle_info", "gauge", "The bundle being enforced.")
        lines.append(f'headway_bundle_info{{digest="{bundle}"}} 1')
        return ("\n".join(lines) + "\n").encode()


def _attainment(objectives: Mapping[tuple[str, ObjectiveRecord], tuple[int, int]]) -> list[str]:
    """Two counters for each promise that is counted by request."""
    lines: list[str] = []
    for position, name, text in (
        (
            1,
            "headway_objective_given_total",
            "Promises of a tier to requests that ended (itl, tpot: to gaps).",
        ),
        (0, "headway_objective_kept_total", "Of these, those that were kept."),
    ):
        if objectives:
            _family(lines, name, "counter", text)
        told = []
        for (tier, objective), counts in objectives.items():
            length = objective.uncached_input
            of = "" if length is None else f"{length.min}..{'' if length.max is None else length.max}"
            told.append(
                f'{name}{{tier="{tier}",metric="{objective.metric}",'
                f'target_seconds="{objective.target / MILLION:g}",uncached_input_tokens="{of}",'
                f'percentile="{(objective.percentile or 95 * MILLION) / MILLION:g}"}} {counts[position]}'
            )
        lines += sorted(told)
    return lines


def _family(lines: list[str], name: str, kind: str, text: str) -> None:
    lines.append(f"# HELP {name} {text}")
    lines.append(f"# TYPE {name} {kind}")


def _histograms(lines: list[str], name: str, text: str, histograms: list[tuple[str, Histogram]]) -> None:
    _family(lines, name, "histogram", text)
    for tier, histogram in histograms:
        running = 0
        buckets, total_us = histogram.counted()
        for bound, count in zip(SECONDS, buckets, strict=False):
            running += count
            lines.append(f'{name}_bucket{{tier="{tier}",le="{bound}"}} {running}')
        running += buckets[-1]
        lines.append(f'{name}_bucket{{tier="{tier}",le="+Inf"}} {running}')
        lines.append(f'{name}_sum{{tier="{tier}"}} {total_us / 1_000_000}')
        lines.append(f'{name}_count{{tier="{tier}"}} {running}')
