"""Values of another type."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

TENANT = """\
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme}
spec:
  tiers: standard
"""
TIER = "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: standard}\nspec: {band: %s, service_tier: [default]}\n"
CASES = [
    Case("a text for a list", TENANT, (("5:10", "expected a list, found the text `standard`"),)),
    Case(
        "a list for the spec", TENANT.replace("\n  tiers: standard", " [1]"), (("4:1", "expected a mapping"),)
    ),
    Case("a text for a number", TIER % "high", (("4:14", "expected a whole number"),)),
    Case(
        "a number with a unit it does not have", TIER % "'300 points'", (("4:14", "expected a whole number"),)
    ),
    Case("true is not 1", TIER % "true", (("4:14", "found true"),)),
    Case("YAML 1.1's `no` is a text", TENANT.replace("standard", "no"), (("5:10", "the text `no`"),)),
    Case("octal and hexadecimal are numbers", TIER % "0xC8"),
    Case(
        "an instant that does not exist",
        """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 1k tokens/min, output: 1k tokens/min}
  window: {from: 2026-02-30T00:00:00Z}
""",
        (("9:18", "that exists"),),
    ),
    Case(
        "a URL with a path",
        """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["http://chat-1:8000/v1"]}
""",
        (("7:21", "expected an origin"),),
    ),
    Case("all as it should be", TENANT.replace("standard", "[standard, priority]")),
]
