"""The same key twice."""

from tests.support.policies import Case

TENANT = """\
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme}
spec:
  tiers: [standard]
  tiers: [priority]
"""
CASES = [
    Case("a field written twice", TENANT, (("6:3", "key `tiers` stands twice"),)),
    Case(
        "twice in one line",
        TENANT.replace("{name: acme}", "{name: acme, name: b}"),
        (("3:24", "key `name`"), ("6:3", "key `tiers`")),
    ),
    Case(
        "JSON",
        '{"a": 1, "b": {"c": 1, "c": 2}}',
        (("1:24", "key `c`"),),
        file="case.json",
        also=("SPEC005", "SPEC013"),
    ),
    Case(
        "one key in two mappings",
        TENANT.replace("  tiers: [priority]\n", "  labels: {tiers: x}\n"),
        also=("REF106",),
    ),
]
