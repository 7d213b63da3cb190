"""Policies that are sound line by line and hostile as a whole: many of one thing, in each other's way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from coordination.compiler.regions import MOST_ROUTES
from tests.support.policies import diagnose, world_with

HANG = 60.0
"""Seconds of CPU; each takes a few. What is quadratic takes minutes."""
HEAD = "apiVersion: headway/v1\nkind: %s\nmetadata: {name: %s}\nspec: %s\n"


def many(kind: str, count: int, spec: Callable[[int], str], name: Callable[[int], str] = "n{}".format) -> str:
    return "---\n".join(HEAD % (kind, name(i), spec(i)) for i in range(count))


def route(i: int, rank: int, match: str) -> str:
    return f"{{rank: {rank}, match: {{{match}}}, targets: [{{pool: chat}}]}}"


def reservation(window: str) -> str:
    rates = "{input: 1k tokens/min, output: 0 tokens/min}"
    return f"{{tenant: acme, pool: chat, tier: priority, throughput: {rates}, window: {{{window}}}}}"


def hours(i: int) -> str:
    return f'"{i % 24:02}:{i % 60:02}-{(i + 5) % 24:02}:30"'


def names() -> Iterator[str]:
    """A tenant below a tenant, as deep as names go."""
    for i in range(2000):
        yield "/".join(f"n{i >> shift & 1}" for shift in range(7)) + f"/x{i}"


DEEP = list(names())
HOSTILE: dict[str, tuple[Callable[[], str], str]] = {
    "a ladder of routes": (
        lambda: many("Route", 1200, lambda i: route(i, i, f"prompt_tokens: {{min: {i}, max: {i + 2}}}")),
        "ROUTE401",
    ),
    "routes around each other": (
        lambda: many(
            "Route", 1500, lambda i: route(i, i, f"prompt_tokens: {{min: {1500 - i}, max: {1501 + i}}}")
        ),
        "",
    ),
    "routes of one rank, side by side": (
        lambda: many("Route", 1200, lambda i: route(i, 1, f"prompt_tokens: {{min: {i}, max: {i + 1}}}")),
        "",
    ),
    "more routes than are compared": (
        lambda: many("Route", MOST_ROUTES + 1, lambda i: route(i, i, f"prompt_tokens: {{min: {i}}}")),
        "SPEC003",
    ),
    "reservations of one moment": (lambda: many("Reservation", 3000, lambda _: reservation("")), "CAP201"),
    "recurrences, no two alike": (
        lambda: many(
            "Reservation",
            300,
            lambda i: reservation(
                f"from: 2026-01-01T00:{i // 60:02}:{i % 60:02}Z, recurs: FREQ=DAILY;INTERVAL=2, "
                f"at: {hours(i)}, zone: America/New_York"
            ),
        ),
        "TIME603",
    ),
    "recurrences that never come": (
        lambda: many(
            "Reservation", 1000, lambda _: reservation('recurs: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"')
        ),
        "TIME604",
    ),
    "quotas of one tenant": (
        lambda: many(
            "Quota",
            2000,
            lambda _: (
                "{tenant: acme, limits: [{of: requests, per: 1m, limit: 2k, guaranteed: 1k, lend: 2k}]}"
            ),
        ),
        "CAP209",
    ),
    "tiers that escalate in one circle": (
        lambda: many(
            "Tier",
            2000,
            lambda i: (
                f"{{band: {i % 1000}, escalate_to: n{(i + 1) % 2000}, minimum_share: 1%, "
                f"objectives: [{{metric: ttft, target: {2000 - i}ms}}]}}"
            ),
        ),
        "REF109",
    ),
    "tenants as deep as names go": (
        lambda: many(
            "Tenant", 2000, lambda i: f"{{tiers: [standard], labels: {{a: b{i}}}}}", DEEP.__getitem__
        ),
        "REF105",
    ),
}


@pytest.mark.parametrize("story", HOSTILE)
def test_a_hostile_policy_is_answered(story: str):
    text, code = HOSTILE[story]
    files = world_with(text())
    began = time.process_time()
    found = {diagnostic.code for diagnostic in diagnose(files)}
    assert time.process_time() - began < HANG
    assert code in found or not code
