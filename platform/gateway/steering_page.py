"""What do routes do with requests beside sending each to a replica? As lines of the metrics page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from coordination.scheduling import Hedges


def steering_page(hedges: Mapping[str, Hedges]) -> bytes:
    """Only what some route of the policy does has lines."""
    lines: list[str] = []
    _hedges(lines, sorted(hedges.items()))
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _hedges(lines: list[str], hedges: list[tuple[str, Hedges]]) -> None:
    if not hedges:
        return
    counts = (
        ("headway_hedge_requests_total", "Requests whose first byte was watched for.", "requests"),
        ("headway_hedges_total", "Second attempts made beside slow first ones.", "second"),
        ("headway_hedges_won_total", "Second attempts that answered, or outlived the first.", "won"),
    )
    for name, text, field in counts:
        _family(
            lines, name, text, ((f'route="{route}"', getattr(account, field)) for route, account in hedges)
        )
    _family(
        lines,
        "headway_hedges_declined_total",
        "Slow first attempts that were left alone, by why.",
        (
            (f'route="{route}",reason="{why}"', count)
            for route, account in hedges
            for why, count in sorted(account.declined.items())
        ),
    )


def _family(lines: list[str], name: str, text: str, values: Iterable[tuple[str, int]]) -> None:
    lines += (f"# HELP {name} {text}", f"# TYPE {name} counter")
    lines += (f"{name}{{{labels}}} {value}" for labels, value in values)
