"""How did a replay go? Counts, refusals by code, first-token times and cached tokens, by group."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from simfleet.workload.answers import Answer


@dataclass(slots=True)
class Tally:
    """What became of one group of requests. Every request ends in exactly one of the five outcomes."""

    requests: int = 0
    completed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By ``error.code`` of an error answer."""
    interrupted: Counter[str] = field(default_factory=Counter)
    """By ``error.code`` of an error event after the answer had begun."""
    lost: int = 0
    """Neither answered whole nor told why not."""
    abandoned: int = 0
    """Still open when the replay was stopped."""
    ttft_s: array[float] = field(default_factory=lambda: array("d"))
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    def answered(self, answer: Answer, ttft_s: float | None) -> None:
        """Counts a whole answer to the end."""
        self.completed += 1
        self.prompt_tokens += answer.prompt_tokens
        self.cached_tokens += answer.cached_tokens
        self.output_tokens += answer.output_tokens
        if ttft_s is not None:
            self.ttft_s.append(ttft_s)

    @property
    def cached_share(self) -> float:
        """Cached prompt tokens as a fraction of all prompt tokens of completed requests."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values; times in milliseconds, ``null`` where nothing was measured."""
        return {
            "requests": self.requests,
            "completed": self.completed,
            "refused": dict(sorted(self.refused.items())),
            "interrupted": dict(sorted(self.interrupted.items())),
            "lost": self.lost,
            "abandoned": self.abandoned,
            "ttft_ms": milliseconds(self.ttft_s),
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "cached_share": round(self.cached_share, 4),
            "output_tokens": self.output_tokens,
        }


@dataclass(slots=True)
class Summary:
    """A whole replay, and the same by tenant and by the tier that served."""

    total: Tally = field(default_factory=Tally)
    by_tenant: dict[str, Tally] = field(default_factory=dict)
    by_tier: dict[str, Tally] = field(default_factory=dict)
    """By ``x-headway-tier-served``; a request nothing served stands under ``none``."""
    lost_because: Counter[str] = field(default_factory=Counter)
    send_lag_s: array[float] = field(default_factory=lambda: array("d"))
    """How much later than its instant in the trace each request was sent."""
    elapsed_s: float = 0.0
    stopped: bool = False
    """Ended before the trace did, by a signal."""
    trace_error: str | None = None
    """The bad record that ended it, if one did."""

    def groups(self, tenant: str, tier: str) -> tuple[Tally, Tally, Tally]:
        """The three tallies a request counts in."""
        return (
            self.total,
            self.by_tenant.setdefault(tenant, Tally()),
            self.by_tier.setdefault(tier, Tally()),
        )

    def as_json(self) -> dict[str, Any]:
        """The summary as plain values, the total's members at the top."""
        return {
            **self.total.as_json(),
            "lost_because": dict(sorted(self.lost_because.items())),
            "send_lag_ms": milliseconds(self.send_lag_s),
            "elapsed_s": round(self.elapsed_s, 3),
            "stopped": self.stopped,
            "trace_error": self.trace_error,
            "by_tenant": {name: tally.as_json() for name, tally in sorted(self.by_tenant.items())},
            "by_tier": {name: tally.as_json() for name, tally in sorted(self.by_tier.items())},
        }


def milliseconds(seconds: array[float]) -> dict[str, float] | None:
    """Mean and nearest-rank percentiles of samples in seconds, in milliseconds."""
    if not seconds:
        return None
    ranked = sorted(seconds)
    last = len(ranked) - 1
    figures = {"mean": sum(ranked) / len(ranked)}
    for percent in (50, 90, 95, 99):
        figures[f"p{percent}"] = ranked[min(last, -(-len(ranked) * percent // 100) - 1)]
    figures["max"] = ranked[last]
    return {name: round(value * 1000, 3) for name, value in figures.items()}


_HEADINGS = ("", "requests", "completed", "refused", "lost", "ttft mean", "p50", "p90", "p99 ms", "cached")


def render(summary: Summary) -> str:
    """The summary for a terminal: a table of groups, then what was refused or lost."""
    lines = _table(
        [
            _HEADINGS,
            _row("all", summary.total),
            *(_row(f"tenant {name}", tally) for name, tally in sorted(summary.by_tenant.items())),
            *(_row(f"tier {name}", tally) for name, tally in sorted(summary.by_tier.items())),
        ]
    )
    total = summary.total
    lines += [
        "",
        f"{total.prompt_tokens:,} prompt tokens, {total.cached_tokens:,} cached "
        f"({total.cached_share:.1%}); {total.output_tokens:,} output tokens in {summary.elapsed_s:.1f} s",
    ]
    for title, counts in (
        ("refused", total.refused),
        ("interrupted", total.interrupted),
        ("lost", summary.lost_because),
    ):
        lines += [f"{title} {count:>6}  {reason}" for reason, count in counts.most_common()]
    if total.abandoned:
        lines.append(f"stopped with {total.abandoned} requests still open")
    lag = milliseconds(summary.send_lag_s)
    if lag is not None:
        lines.append(
            f"sent {lag['p99']:.1f} ms (p99), {lag['max']:.1f} ms (worst) after the instant in the trace"
        )
    return "\n".join(lines)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell; the first to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))).rstrip() for row in rows
    ]


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    ttft = milliseconds(tally.ttft_s)
    times = [f"{ttft[key]:.0f}" for key in ("mean", "p50", "p90", "p99")] if ttft else ["-"] * 4
    refused = tally.refused.total() + tally.interrupted.total()
    return (
        name,
        str(tally.requests),
        str(tally.completed),
        str(refused),
        str(tally.lost),
        *times,
        f"{tally.cached_share:.1%}",
    )
