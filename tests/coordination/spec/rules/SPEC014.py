"""Words that are not among the choices."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec:
  rank: 1
  targets: [{pool: chat}]
  placement: {strategy: %s}
"""
CASES = [
    Case("misspelt", ROUTE % "ballanced", (("7:25", "did you mean `balanced`?"),)),
    Case("of a later version", ROUTE % "by_colour", (("7:25", "is not one of balanced, cache_first"),)),
    Case(
        "a time zone",
        "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tiers: [standard], zone: Europe/Belrin}\n",
        (("4:33", "did you mean `Europe/Berlin`?"),),
    ),
    Case(
        "an overflow that is none",
        "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: standard}\nspec: {band: 1, overflow: drop}\n",
        (("4:27", "is not one of refuse, queue, spill"),),
    ),
    Case("a choice", ROUTE % "round_robin"),
]
