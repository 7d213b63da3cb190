"""Routes that can never win."""

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: %s}
spec: {rank: %s, match: %s, targets: [{pool: chat}]}
"""
GLOBEX = "---\napiVersion: headway/v1\nkind: Tenant\nmetadata: {name: acme/web}\nspec: {tiers: [standard]}\n"
CASES = [
    Case(
        "behind a route for everything",
        ROUTE % ("late", "200", "{models: [llama-3-8b]}"),
        (("4:19", "route `late` can never win: `everything` takes everything it matches"),),
        notes=("`everything` wins", "has rank 100, before 200"),
    ),
    Case(
        "behind a wider list",
        ROUTE % ("wide", "1", "{tiers: [priority, standard]}")
        + "---\n"
        + ROUTE % ("narrow", "2", "{tiers: [priority]}"),
        (("9:17", "`narrow` can never win: `wide`"),),
        also=("ROUTE401",),
        without=("Route/everything",),
    ),
    Case(
        "behind two that cover it together",
        ROUTE % ("one", "1", "{tiers: [priority]}")
        + "---\n"
        + ROUTE % ("two", "2", "{tiers: [standard]}")
        + "---\n"
        + ROUTE % ("three", "3", "{models: [llama-3-8b]}"),
        (("14:17", "`three` can never win: `one`, `two` together take"),),
        without=("Route/everything",),
    ),
    Case(
        "prompt lengths that add up",
        ROUTE % ("short", "1", "{prompt_tokens: {max: 8k}}")
        + "---\n"
        + ROUTE % ("long", "2", "{prompt_tokens: {min: 8k}}")
        + "---\n"
        + ROUTE % ("all", "3", "{}"),
        (("14:17", "`all` can never win: `short`, `long`"),),
        without=("Route/everything",),
    ),
    Case(
        "prompt lengths that leave a gap of one",
        ROUTE % ("short", "1", "{prompt_tokens: {max: 8k}}")
        + "---\n"
        + ROUTE % ("long", "2", "{prompt_tokens: {min: 8001}}")
        + "---\n"
        + ROUTE % ("all", "3", "{}"),
        without=("Route/everything",),
    ),
    Case(
        "a child behind its parent's route",
        ROUTE % ("parent", "1", "{tenants: [acme]}")
        + "---\n"
        + ROUTE % ("child", "2", "{tenants: [acme/web]}")
        + GLOBEX,
        (("9:17", "`child` can never win: `parent`"),),
        without=("Route/everything",),
    ),
    Case(
        "a parent behind its child's route still serves itself",
        ROUTE % ("child", "1", "{tenants: [acme/web]}")
        + "---\n"
        + ROUTE % ("parent", "2", "{tenants: [acme]}")
        + GLOBEX,
        (),
        also=("ROUTE401",),
        without=("Route/everything",),
    ),
    Case(
        "before the route for everything", ROUTE % ("early", "1", "{models: [llama-3-8b], tiers: [priority]}")
    ),
]
