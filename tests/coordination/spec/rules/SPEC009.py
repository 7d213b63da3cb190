"""Names that are not names."""

from tests.support.policies import Case

TENANT = "apiVersion: headway/v1\nkind: %s\nmetadata: {name: %s}\nspec: {tiers: [standard]}\n"
CASES = [
    Case("capitals", TENANT % ("Tenant", "Acme"), (("3:18", "`Acme` is not a name"),)),
    Case(
        "a Cyrillic letter that looks like an a",
        TENANT % ("Tenant", "\u0430cme"),
        (("3:18", "is not a name"),),
        notes=("U+0430 (CYRILLIC SMALL LETTER A)",),
    ),
    Case("an empty step", TENANT % ("Tenant", "acme//x"), (("3:18", "is not a name"),)),
    Case("too long", TENANT % ("Tenant", "a" * 64), (("3:18", "is not a name"),)),
    Case("too deep", TENANT % ("Tenant", "/".join("abcdefghi")), (("3:18", "is not a name"),)),
    Case(
        "only tenants have paths",
        TENANT.replace("[standard]", "[a/b]") % ("Tenant", "acme"),
        (("4:16", "`a/b` is not a name"),),
    ),
    Case("nothing", TENANT % ("Tenant", '""'), (("3:18", "a name is empty"),)),
    Case("a child tenant", TENANT % ("Tenant", "acme/search-2.0")),
]
