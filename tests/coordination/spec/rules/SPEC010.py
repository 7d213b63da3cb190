"""One object, two documents."""

from tests.support.policies import Case

TWO = """\
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme%s}
spec: {tiers: [standard]}
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme%s}
spec: {tiers: [priority]}
"""
CASES = [
    Case(
        "the same object twice",
        TWO % ("", ""),
        (("8:18", "Tenant `acme` is already defined"),),
        notes=("first defined here",),
    ),
    Case(
        "twice in one environment",
        TWO % (", environments: [dev, eu]", ", environments: [eu]"),
        (("8:18", "already defined in environment `eu`"),),
    ),
    Case(
        "everywhere and in one environment",
        TWO % ("", ", environments: [dev]"),
        (("8:18", "in environment `dev`"),),
    ),
    Case("in two environments", TWO % (", environments: [dev]", ", environments: [eu]"), also=("REF106",)),
    Case(
        "one name, two kinds",
        "apiVersion: headway/v1\nkind: Quota\nmetadata: {name: acme}\nspec: {tenant: acme}\n",
    ),
]
