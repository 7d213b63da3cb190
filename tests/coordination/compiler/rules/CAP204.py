"""Default tiers that are refused."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

TENANT = "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: globex}\nspec: {tiers: [standard], default_tier: %s}\n"
CASES = [
    Case(
        "not among its tiers",
        TENANT % "priority",
        (("4:41", "the default tier `priority` of tenant `globex` is not among"),),
    ),
    Case("among them", TENANT % "standard"),
    Case("by default the first", TENANT % "null"),
]
