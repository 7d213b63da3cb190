"""Two prices at one instant."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

BOOK = """\
apiVersion: headway/v1
kind: PriceBook
metadata: {name: p}
spec:
  currency: USD
  entries:
    - {model: llama-3-8b, from: 2026-01-01T00:00:00Z, uncached_input: 1 USD/1M tokens, cached_input: 0 USD/1M tokens, output: 1 USD/1M tokens}
    - {model: llama-3-8b, from: %s, uncached_input: 2 USD/1M tokens, cached_input: 0 USD/1M tokens, output: 1 USD/1M tokens}
"""
CASES = [
    Case(
        "from one instant",
        BOOK % "2026-01-01T01:00:00+01:00",
        (("8:15", "has two prices from 2026-01-01T00:00:00Z"),),
    ),
    Case("one after the other", BOOK % "2026-02-01T00:00:00Z"),
]
