"""How is this gateway doing, in the names that OpenTelemetry has for generative AI? As Prometheus text.

Metrics are those of the semantic conventions with dots as underscores and the unit behind, buckets are
theirs too. Only requests that reached a decision are counted: a client must not be able to make label
values up. Of ours the tier served is added; ``headway_*`` has the rest.
"""

from __future__ import annotations

from bisect import bisect_left

from gateway.explanations import Explanation

DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKENS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
EACH_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
TOKENS = tuple(4**power for power in range(14))

_SECOND = 1_000_000


class _Histogram:
    """``bounds`` in whole units: microseconds or tokens."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0

    def add(self, value: int) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


def _micros(seconds: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(bound * _SECOND) for bound in seconds)


_DURATIONS, _FIRST_TOKENS, _EACH_TOKEN = _micros(DURATIONS), _micros(FIRST_TOKENS), _micros(EACH_TOKEN)


class _Series:
    """Of one operation, model, tier and kind of error."""

    __slots__ = ("duration", "each_token", "first_token", "input", "output")

    def __init__(self) -> None:
        self.duration = _Histogram(_DURATIONS)
        self.first_token = _Histogram(_FIRST_TOKENS)
        self.each_token = _Histogram(_EACH_TOKEN)
        self.input = _Histogram(TOKENS)
        self.output = _Histogram(TOKENS)


class GenAi:
    """Everything counted since start."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str, str], _Series] = {}

    def finished(self, explanation: Explanation) -> None:
        """One request is over, however it ended."""
        decision = explanation.decision
        if decision is None:
            return
        problem = explanation.problem
        key = (
            explanation.operation,
            explanation.model or "",
            decision.tier,
            problem.code if problem is not None else "",
        )
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        series.duration.add(explanation.finished - explanation.arrived)
        charge, first = explanation.charge, explanation.first_byte
        if charge is None or not first:
            return
        usage = charge.usage
        generated = usage.output + usage.reasoning
        series.input.add(usage.uncached_input + usage.cached_input + usage.cache_write)
        if generated:
            series.output.add(generated)
        if explanation.stream:
            series.first_token.add(first - explanation.arrived)
            if generated > 1:
                series.each_token.add((explanation.finished - first) // (generated - 1))

    def lines(self) -> list[str]:
        """The exposition."""
        found: list[str] = []
        series = sorted(self._series.items())
        for name, text, part in (
            ("gen_ai_server_request_duration_seconds", "Arrival to last byte.", "duration"),
            (
                "gen_ai_server_time_to_first_token_seconds",
                "Arrival to first byte, of streams.",
                "first_token",
            ),
            ("gen_ai_server_time_per_output_token_seconds", "Between tokens, of streams.", "each_token"),
        ):
            found += (f"# HELP {name} {text}", f"# TYPE {name} histogram")
            for key, one in series:
                _write(found, name, _labels(key), getattr(one, part), _SECOND)
        name = "gen_ai_client_token_usage"
        found += (f"# HELP {name} Tokens of requests, cached ones included.", f"# TYPE {name} histogram")
        for key, one in series:
            for kind, histogram in (("input", one.input), ("output", one.output)):
                _write(found, name, f'{_labels(key)},gen_ai_token_type="{kind}"', histogram, 1)
        return found


def _shown(amount: int, unit: int) -> int | float:
    """In ``unit`` s, without a needless ``.0``."""
    return amount // unit if amount % unit == 0 else amount / unit


def _labels(key: tuple[str, str, str, str]) -> str:
    operation, model, tier, error = key
    return (
        f'gen_ai_operation_name="{operation}",gen_ai_provider_name="headway",'
        f'gen_ai_request_model="{model}",headway_tier="{tier}",error_type="{error}"'
    )


def _write(lines: list[str], name: str, labels: str, histogram: _Histogram, unit: int) -> None:
    reached = 0
    if not any(histogram.counts):
        return
    for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
        reached += count
        lines.append(f'{name}_bucket{{{labels},le="{_shown(bound, unit)}"}} {reached}')
    reached += histogram.counts[-1]
    lines.append(f'{name}_bucket{{{labels},le="+Inf"}} {reached}')
    lines.append(f"{name}_sum{{{labels}}} {_shown(histogram.total, unit)}")
    lines.append(f"{name}_count{{{labels}}} {reached}")
