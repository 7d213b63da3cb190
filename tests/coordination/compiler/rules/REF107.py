"""Values of service_tier that could mean two things."""

from tests.support.policies import Case

TIER = (
    "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: standard}\nspec: {band: 200, service_tier: [%s]}\n"
)
CASES = [
    Case(
        "two tiers claim one name",
        TIER % "default, fast",
        (("4:43", "tiers `priority` and `standard` both answer to service_tier `fast`"),),
        notes=('"service_tier": "fast" could be either',),
    ),
    Case(
        "a tier's own name is claimed by another",
        "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: zeta}\nspec: {band: 1}\n---\n"
        + TIER % "default, zeta",
        (("3:18", "both answer to service_tier `zeta`"),),
        also=("REF106",),
    ),
    Case(
        "a word of the protocol",
        TIER % "default, scale",
        (("4:43", "`scale` is kept for the reservation lane"),),
    ),
    Case(
        "another word of the protocol",
        TIER % "auto",
        (("4:34", "`auto` is kept for the tenant's default tier"),),
    ),
    Case("names of its own", TIER % "default, standard"),
]
