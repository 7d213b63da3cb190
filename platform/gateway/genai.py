"""How is this gateway doing, in the names that OpenTelemetry has for generative AI? As Prometheus text.

Metrics are those of the semantic conventions with dots as underscores and the unit behind, buckets are
theirs too. Only requests that reached a decision are counted: a client must not be able to make label
values up. Of ours the tier served is added; ``headway_*`` has the rest.
"""

from __future__ import annotations

from gateway.ended import Alike, Histogram

DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKENS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
EACH_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
TOKENS = tuple(4**power for power in range(14))

_SECOND = 1_000_000


def _micros(seconds: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(bound * _SECOND) for bound in seconds)


_DURATIONS, _FIRST_TOKENS, _EACH_TOKEN = _micros(DURATIONS), _micros(FIRST_TOKENS), _micros(EACH_TOKEN)


class _Series:
    """Of one operation, model, tier and kind of error."""

    __slots__ = ("duration", "each_token", "first_token", "input", "output")

    def __init__(self) -> None:
        self.duration = Histogram(_DURATIONS)
        self.first_token = Histogram(_FIRST_TOKENS)
        self.each_token = Histogram(_EACH_TOKEN)
        self.input = Histogram(TOKENS)
        self.output = Histogram(TOKENS)


class GenAi:
    """Everything counted since start."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str, str], _Series] = {}

    def add(self, group: Alike) -> None:
        """Requests that are over, however they ended."""
        one = group.one
        decision, problem = one.decision, one.problem
        if decision is None:
            return
        key = (
            one.operation,
            one.model or "",
            decision.tier,
            problem.code if problem is not None else "",
        )
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        series.duration.extend(group.durations)
        answered = [each for each in group.all if each.charge is not None and each.first_byte]
        used = [each.charge.usage for each in answered if each.charge is not None]
        generated = [usage.output + usage.reasoning for usage in used]
        series.input.extend([each.uncached_input + each.cached_input + each.cache_write for each in used])
        series.output.extend([tokens for tokens in generated if tokens])
        if one.stream:
            series.first_token.extend([each.first_byte - each.arrived for each in answered])
            series.each_token.extend(
                [
                    (each.finished - each.first_byte) // (tokens - 1)
                    for each, tokens in zip(answered, generated, strict=True)
                    if tokens > 1
                ]
            )

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


def _write(lines: list[str], name: str, labels: str, histogram: Histogram, unit: int) -> None:
    counts, total = histogram.counted()
    reached = 0
    if not any(counts):
        return
    for bound, count in zip(histogram.bounds, counts, strict=False):
        reached += count
        lines.append(f'{name}_bucket{{{labels},le="{_shown(bound, unit)}"}} {reached}')
    reached += counts[-1]
    lines.append(f'{name}_bucket{{{labels},le="+Inf"}} {reached}')
    lines.append(f"{name}_sum{{{labels}}} {_shown(total, unit)}")
    lines.append(f"{name}_count{{{labels}}} {reached}")
