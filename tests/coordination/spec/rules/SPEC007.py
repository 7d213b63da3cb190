"""Numbers without their unit, or with another."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

RESERVATION = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: %s, output: 10k tokens/min}
  enforcement_window: %s
"""
QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: acme}
spec: {tenant: acme, limits: [{of: %s, per: 1m, limit: %s}]}
"""
CASES = [
    Case("a rate without its unit", RESERVATION % ("100k", "10s"), (("8:23", "`100k` lacks its unit"),)),
    Case("a rate by the second", RESERVATION % ("100k tokens/s", "10s"), (("8:23", "is not in tokens/min"),)),
    Case("a bare duration", RESERVATION % ("1k tokens/min", "10"), (("9:23", "`10` lacks its unit"),)),
    Case(
        "a duration in minutes, spelt out",
        RESERVATION % ("1k tokens/min", "10min"),
        (("9:23", "not in us, ms"),),
    ),
    Case("tokens for a limit of money", QUOTA % ("spend", "2M"), (("4:59", "lacks its unit: a currency"),)),
    Case("money for a limit of tokens", QUOTA % ("total_tokens", "20 USD"), (("4:66", "is not in tokens"),)),
    Case(
        "a window without a zone",
        RESERVATION.replace("enforcement_window: %s", "window: {from: 2026-02-01T00:00:00}")
        % "1k tokens/min",
        (("9:18", "lacks its unit: Z or an offset"),),
    ),
    Case(
        "a day without a time",
        RESERVATION.replace("enforcement_window: %s", "window: {from: 2026-02-01}") % "1k tokens/min",
        (("9:18", "a time of day and zone"),),
    ),
    Case(
        "a price in another currency than its book's",
        """\
apiVersion: headway/v1
kind: PriceBook
metadata: {name: p}
spec:
  currency: USD
  entries:
    - {model: llama-3-8b, uncached_input: 1 EUR/1M tokens, cached_input: 1 USD/1M tokens, output: 1 USD/1M tokens}
""",
        (("7:43", "`1 EUR/1M tokens` is not in USD"),),
    ),
    Case(
        "a price of one token",
        """\
apiVersion: headway/v1
kind: PriceBook
metadata: {name: p}
spec:
  currency: USD
  entries:
    - {model: llama-3-8b, uncached_input: 1 USD, cached_input: 1 USD/1M tokens, output: 1 USD/1M tokens}
""",
        (("7:43", "lacks its unit: money per 1M tokens"),),
    ),
    Case("units as they should be", RESERVATION % ("100k tokens/min", "10s")),
    Case("requests may say so", QUOTA % ("requests", "3k requests")),
]
