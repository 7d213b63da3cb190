"""Fields that are right and not acted upon yet."""

from tests.support.policies import Case

TIER = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: %s}
spec:
  service_tier: [%s]
  band: %s
%s"""
ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: %s}
spec: {rank: %s, targets: [{pool: chat, mirror: 5%%}]%s}
"""
CASES = [
    Case(
        "a copy of the traffic",
        ROUTE % ("everything", 100, ""),
        (("4:42", "`targets.mirror` of a Route is not enforced by this gateway yet"),),
        notes=("Nothing is sent twice.",),
    ),
    Case(
        "in two routes",
        ROUTE % ("everything", 100, "")
        + "---\n"
        + ROUTE % ("long", 50, ", match: {prompt_tokens: {min: 8k}}"),
        (("4:42", "not enforced by this gateway yet, here and in 1 more place"),),
        notes=("written here too",),
    ),
    Case(
        "within a list",
        """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec:
  rank: 100
  targets:
    - {pool: chat, weight: 1, mirror: 5%}
""",
        (("7:31", "`targets.mirror` of a Route"),),
    ),
    Case(
        "an order that is known",
        TIER % ("priority", "priority, fast", 300, "  queue: {order: las}\n"),
    ),
    Case(
        "a strategy that is known",
        """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 100, targets: [{pool: chat}], placement: {strategy: round_robin}}
""",
    ),
    Case(
        "the default said aloud",
        TIER % ("priority", "priority, fast", 300, "  minimum_share: 0%\n  queue: {order: fcfs}\n"),
    ),
]
