"""Characters that hide what is read."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

TIER = "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: standard}  # %s\nspec: {band: 200, service_tier: [default]}\n"
CASES = [
    Case(
        "a right-to-left override in a comment",
        TIER % "a\u202eb",
        (("3:32", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),),
    ),
    Case("a zero-width space", TIER % "\u200b", (("3:31", "U+200B"),)),
    Case("a byte-order mark in the middle", TIER % "\ufeff", (("3:31", "U+FEFF"),)),
    Case("accents and other scripts are welcome", TIER % "caf\u00e9 \u6771\u4eac \u05e9\u05dc\u05d5\u05dd"),
]
