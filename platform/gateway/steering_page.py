"""What do routes do with requests beside sending each to a replica? As lines of the metrics page."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.coordinator import Coordinator
from gateway.metrics import SECONDS
from gateway.mirrors import Mirrors


def steering_page(coordinator: Coordinator, mirrors: Mirrors) -> bytes:
    """Only what some route of the policy does has lines."""
    lines: list[str] = []
    if coordinator.hedges():
        _hedges(lines, coordinator)
    if coordinator.copies():
        _copies(lines, coordinator, mirrors)
    if coordinator.trials():
        _trials(lines, coordinator)
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _hedges(lines: list[str], coordinator: Coordinator) -> None:
    hedges = sorted(coordinator.hedges().items())
    for name, text, field in (
        ("headway_hedge_requests_total", "Requests whose first byte was watched for.", "requests"),
        ("headway_hedges_total", "Second attempts made beside slow first ones.", "second"),
        ("headway_hedges_won_total", "Second attempts that answered, or outlived the first.", "won"),
    ):
        _counter(lines, name, text, ((f'route="{route}"', getattr(one, field)) for route, one in hedges))
    _counter(
        lines,
        "headway_hedges_declined_total",
        "Slow first attempts that were left alone, by why.",
        (
            (f'route="{route}",reason="{why}"', count)
            for route, one in hedges
            for why, count in sorted(one.declined.items())
        ),
    )


def _copies(lines: list[str], coordinator: Coordinator, mirrors: Mirrors) -> None:
    found = [
        (f'route="{route}",pool="{pool}"', one) for (route, pool), one in sorted(coordinator.copies().items())
    ]
    _counter(
        lines,
        "headway_mirrored_total",
        "Copies of requests sent, by how they ended; their answers are thrown away.",
        (
            (f'{labels},outcome="{ended}"', count)
            for labels, one in found
            for ended, count in sorted(one.ended.items())
        ),
    )
    _counter(
        lines,
        "headway_mirror_dropped_total",
        "Copies that were not sent, by why.",
        (
            (f'{labels},reason="{why}"', count)
            for labels, one in found
            for why, count in sorted(one.dropped.items())
        ),
    )
    _family(
        lines,
        "headway_mirror_in_flight",
        "gauge",
        "Copies under way.",
        ((labels, one.open) for labels, one in found),
    )
    name = "headway_mirror_first_byte_seconds"
    lines += (f"# HELP {name} From sending a copy to its first byte.", f"# TYPE {name} histogram")
    for (route, pool), histogram in sorted(mirrors.first_bytes.items()):
        labels, running = f'route="{route}",pool="{pool}"', 0
        buckets, total_us = histogram.counted()
        for bound, count in zip((*SECONDS, "+Inf"), buckets, strict=True):
            running += count
            lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {running}')
        lines.append(f"{name}_sum{{{labels}}} {total_us / 1_000_000}")
        lines.append(f"{name}_count{{{labels}}} {running}")


def _trials(lines: list[str], coordinator: Coordinator) -> None:
    _family(
        lines,
        "headway_canary_given_up",
        "gauge",
        "Whether a canary gets no more traffic of its route: 1 once its guard gave it up.",
        (
            (f'route="{route}",pool="{one.pool}"', int(one.given_up is not None))
            for route, one in sorted(coordinator.trials(), key=lambda found: (found[0], found[1].pool))
        ),
    )


def _counter(lines: list[str], name: str, text: str, values: Iterable[tuple[str, int]]) -> None:
    _family(lines, name, "counter", text, values)


def _family(lines: list[str], name: str, kind: str, text: str, values: Iterable[tuple[str, int]]) -> None:
    lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}")
    lines += (f"{name}{{{labels}}} {value}" for labels, value in values)
