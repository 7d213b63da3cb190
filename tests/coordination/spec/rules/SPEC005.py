"""Fields that do not exist."""

from tests.support.policies import Case

TIER = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: standard}
spec:
  band: 200
  queue: {max_wiat: 3s}
"""
CASES = [
    Case("a misspelt field", TIER, (("6:11", "has no field `max_wiat`; did you mean `max_wait`?"),)),
    Case(
        "a field of a later version",
        TIER.replace("queue: {max_wiat: 3s}", "least_share: 5%"),
        (("6:3", "Tier has no field `least_share`"),),
        notes=("Its fields: service_tier, band, minimum_share",),
    ),
    Case("beside spec", TIER.replace("max_wiat", "max_wait") + "specs: {}\n", (("7:1", "`specs`"),)),
    Case(
        "the field that is meant is written already",
        TIER.replace("queue: {max_wiat: 3s}", "bnad: 1"),
        (("6:3", "has no field `bnad`"),),
    ),
    Case("all known", TIER.replace("max_wiat", "max_wait")),
]
