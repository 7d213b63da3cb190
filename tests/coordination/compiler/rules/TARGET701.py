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
QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: %s}
spec: {tenant: acme, scope: {tiers: [%s]}, weight: 4, delegation: {weight: true}}
"""
CASES = [
    Case(
        "what a tenant's administrators may change",
        QUOTA % ("acme", "standard"),
        (("4:61", "`delegation` of a Quota is not enforced by this gateway yet"),),
        notes=("is set on its page.",),
    ),
    Case(
        "in two quotas",
        QUOTA % ("acme", "standard") + "---\n" + QUOTA % ("acme-priority", "priority"),
        (("4:61", "not enforced by this gateway yet, here and in 1 more place"),),
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
