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
ESCALATES = "  escalate_to: standard\n"
CASES = [
    Case(
        "where a batch goes on",
        TIER % ("flex", "flex", 100, ESCALATES),
        (("7:3", "`escalate_to` of a Tier is not enforced by this gateway yet"),),
        also=("REF106",),
        notes=("stays in its tier until its deadline.",),
    ),
    Case(
        "in two tiers",
        TIER % ("batch", "batch", 50, ESCALATES) + "---\n" + TIER % ("flex", "flex", 100, ESCALATES),
        (("7:3", "not enforced by this gateway yet, here and in 1 more place"),),
        also=("REF106",),
        notes=("written here too",),
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
