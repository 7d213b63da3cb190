"""Values outside what a field allows."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

TIER = "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: standard}\nspec: {band: %s, service_tier: [default]}\n"
POOL = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: %s}
  capacity: {input: %s, output: 100k tokens/min, sequences: 256, kv_tokens: 430k}
  reservable: %s
"""
URLS = '["http://chat-1:8000"]'
CASES = [
    Case("too large", TIER % "1001", (("4:14", "the most allowed is 1,000"),)),
    Case("negative", TIER % "-1", (("4:14", "the least allowed is 0"),)),
    Case("half a band", TIER % "1.5", (("4:14", "finer than 1"),)),
    Case(
        "more than all of it", POOL % (URLS, "1M tokens/min", "101%"), (("9:15", "the most allowed is 100%"),)
    ),
    Case(
        "finer than a millionth",
        POOL % (URLS, "1M tokens/min", "1.00001%"),
        (("9:15", "finer than 0.0001%"),),
    ),
    Case("a capacity of nothing", POOL % (URLS, "0 tokens/min", "1%"), (("8:21", "the least allowed is 1"),)),
    Case(
        "more digits than a number has", POOL % (URLS, "9" * 25 + "k tokens/min", "1%"), (("8:21", "digits"),)
    ),
    Case("a number beyond all sense", TIER % ("9" * 5000), (("4:14", "digits"),)),
    Case("beyond 2^53", POOL % (URLS, "99999T tokens/min", "1%"), (("8:21", "too large"),)),
    Case(
        "no tier",
        "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tiers: []}\n",
        (("4:8", "no entries; at least 1"),),
        also=("REF106",),
    ),
    Case(
        "one replica twice",
        POOL % ('["http://a:1", "http://a:1"]', "1M tokens/min", "1%"),
        (("7:35", "stands in this list twice"),),
    ),
    Case("an exponent that would fill the memory", TIER % "1e9999", (("4:14", "too large"),)),
    Case(
        "a window of a second at least",
        """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 1k tokens/min, output: 1k tokens/min}
  enforcement_window: 10ms
""",
        (("9:23", "the least allowed is 1s"),),
    ),
    Case("at the edge", TIER % "1000"),
    Case("1.5M is a whole number", POOL % (URLS, "1.5M tokens/min", "12.5%")),
]
