"""Tenants whose parent does not exist."""

from tests.support.policies import Case

TENANT = "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: %s}\nspec: {tiers: [standard]}\n"
CASES = [
    Case("no such parent", TENANT % "acne/search", (("3:18", "there is no Tenant `acne`"),)),
    Case(
        "a generation is missing", TENANT % "acme/search/web", (("3:18", "there is no Tenant `acme/search`"),)
    ),
    Case("with its parent", TENANT % "acme/search"),
    Case("at the top", TENANT % "globex"),
]
