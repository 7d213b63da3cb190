"""Spend limits on what has no price."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: acme}
spec: {tenant: acme, limits: [{of: spend, per: month, limit: 100 %s}]}
"""
BOOK = """---
apiVersion: headway/v1
kind: PriceBook
metadata: {name: p}
spec:
  currency: USD
  entries: [{model: llama-3-8b, uncached_input: 1 USD/1M tokens, cached_input: 1 USD/1M tokens, output: 1 USD/1M tokens}]
"""
CASES = [
    Case(
        "no prices at all",
        QUOTA % "USD",
        (("4:62", "spend is limited in USD, but `llama-3-8b` has no price"),),
    ),
    Case(
        "prices in another currency",
        QUOTA % "EUR" + BOOK,
        (("4:62", "is priced in USD"),),
        notes=("`p` is in USD",),
    ),
    Case("priced", QUOTA % "USD" + BOOK),
]
