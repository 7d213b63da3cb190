"""Languages other than headway/v1."""

from tests.support.policies import Case

TIER = "apiVersion: %s\nkind: Tier\nmetadata: {name: standard}\nspec: {band: 200, service_tier: [default]}\n"
CASES = [
    Case(
        "a later version",
        TIER % "headway/v2",
        (("1:13", "must be `headway/v1`; found the text `headway/v2`"),),
    ),
    Case("a number", TIER % "1", (("1:13", "found the number `1`"),)),
    Case("a list", TIER % "[headway/v1]", (("1:1", "found a list"),)),
    Case("this version", TIER % "headway/v1"),
    Case("this version, quoted", TIER % '"headway/v1"'),
]
