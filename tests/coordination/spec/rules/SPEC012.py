"""Kinds that do not exist."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

TIER = "apiVersion: headway/v1\nkind: %s\nmetadata: {name: standard}\nspec: {band: 200, service_tier: [default]}\n"
CASES = [
    Case("misspelt", TIER % "Teir", (("2:7", "the text `Teir` is not a kind; did you mean `Tier`?"),)),
    Case(
        "a kind of a later version",
        TIER % "Weather",
        (("2:7", "is not a kind"),),
        notes=("Kinds: Model, Pool",),
    ),
    Case("nothing", TIER % "", (("2:6", "nothing (null) is not a kind"),)),
    Case("a kind", TIER % "Tier"),
]
