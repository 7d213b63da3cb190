"""Promises that exceed a pool, at some instant."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

RESERVATION = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: %s}
spec:
  tenant: acme
  pool: chat
  tier: %s
  throughput: {input: %s tokens/min, output: %s tokens/min}
  window: %s
"""
# The pool takes 2M in and 200k out a minute, half of which may be promised.
CASES = [
    Case(
        "the input rate alone is too much",
        RESERVATION % ("a", "priority", "1200k", "0", "{}"),
        (
            (
                "8:3",
                "`chat` is oversold from now for ever: reservations take 60 % of it, and 50 % may be reserved",
            ),
        ),
    ),
    Case(
        "each rate fits, both together do not",
        RESERVATION % ("a", "priority", "800k", "80k", "{}"),
        (("8:3", "take 80 % of it"),),
        notes=("prefill and decode share the machine",),
    ),
    Case("exactly full is allowed", RESERVATION % ("a", "priority", "500k", "50k", "{}")),
    Case(
        "one token more is not",
        RESERVATION % ("a", "priority", "500001", "50k", "{}"),
        (("8:3", "take 50.1 % of it"),),
    ),
    Case(
        "two that fit alone",
        RESERVATION % ("a", "priority", "600k", "0", "{}")
        + "---\n"
        + RESERVATION
        % ("b", "standard", "600k", "0", "{from: 2026-03-01T00:00:00Z, until: 2026-04-01T00:00:00Z}"),
        (("18:3", "oversold from 2026-03-01T00:00:00Z until 2026-04-01T00:00:00Z: reservations take 60 %"),),
        notes=("At 2026-03-01T00:00:00Z: a 30 %, b 30 %.", "`a` takes its part here"),
    ),
    Case(
        "one begins as the other ends",
        RESERVATION % ("a", "priority", "1M", "0", "{until: 2026-03-01T00:00:00Z}")
        + "---\n"
        + RESERVATION % ("b", "standard", "1M", "0", "{from: 2026-03-01T00:00:00Z}"),
    ),
    Case(
        "oversold twice",
        RESERVATION % ("a", "priority", "800k", "0", "{}")
        + "---\n"
        + RESERVATION
        % ("b", "standard", "800k", "0", "{from: 2026-03-01T00:00:00Z, until: 2026-03-02T00:00:00Z}")
        + "---\n"
        + RESERVATION
        % ("c", "standard", "400k", "0", "{from: 2026-05-01T00:00:00Z, until: 2026-05-02T00:00:00Z}"),
        (("18:3", "from 2026-03-01T00:00:00Z until 2026-03-02T00:00:00Z"), ("28:3", "take 60 %")),
    ),
    Case(
        "in the past",
        RESERVATION % ("a", "priority", "2M", "0", "{until: 2025-03-01T00:00:00Z}"),
        also=("TIME602",),
    ),
]
