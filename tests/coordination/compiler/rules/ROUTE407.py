"""Targets listed twice."""

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 1, targets: [%s]}
"""
CASES = [
    Case(
        "listed twice",
        ROUTE % "{pool: chat, weight: 1}, {pool: chat, weight: 2}",
        (("4:59", "pool `chat` is a target of route `everything` already"),),
    ),
    Case("listed once", ROUTE % "{pool: chat, weight: 3}"),
]
