"""Fields that must be given."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

CASES = [
    Case(
        "an empty mapping",
        "{}\n",
        (("1:1", "`apiVersion`"), ("1:1", "`kind`"), ("1:1", "`metadata`"), ("1:1", "`spec`")),
    ),
    Case(
        "no band",
        "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: standard}\nspec: {}\n",
        (("4:1", "Tier lacks `band`"),),
        notes=("Higher goes first.",),
    ),
    Case(
        "no name",
        "apiVersion: headway/v1\nkind: Tier\nmetadata: {}\nspec: {band: 1}\n",
        (("3:1", "`metadata` lacks `name`"),),
    ),
    Case(
        "deep within",
        """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec:
  rank: 1
  targets:
    - weight: 3
""",
        (("7:7", "`target` lacks `pool`"),),
    ),
    Case(
        "optional fields may be null",
        "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tiers: [standard], default_tier: null}\n",
        also=("REF106",),
    ),
]
