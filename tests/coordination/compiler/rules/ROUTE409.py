"""Canaries that nobody watches."""

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 100, targets: [%s]%s}
"""
CASES = [
    Case(
        "no guard",
        ROUTE % ("{pool: chat, canary: true}", ""),
        (("4:42", "canary `chat` of route `everything` has no guard"),),
        notes=("100 % of the route's requests fail",),
        also=("TARGET701",),
    ),
    Case(
        "a guard",
        ROUTE % ("{pool: chat, canary: true, guard: {errors: 1%}}", ""),
        (),
        also=("TARGET701",),
    ),
]
