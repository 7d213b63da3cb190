"""Routes without any weight."""

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 1, targets: [{pool: chat, weight: %s}]}
"""
CASES = [
    Case(
        "the only target has none",
        ROUTE % "0",
        (("4:48", "all targets of route `everything` have weight 0"),),
    ),
    Case("some weight", ROUTE % "1"),
]
