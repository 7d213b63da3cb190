"""References to another kind."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

CASES = [
    Case(
        "a tenant where a tier belongs",
        "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tiers: [standard, priority, acme]}\n",
        (("4:36", "`acme` is a Tenant; a Tier is asked for here"),),
        notes=("the Tenant is defined here",),
    ),
    Case(
        "a model where a pool belongs",
        "apiVersion: headway/v1\nkind: Route\nmetadata: {name: everything}\nspec: {rank: 1, targets: [{pool: llama-3-8b}]}\n",
        (("4:34", "`llama-3-8b` is a Model"),),
        also=("REF106",),
    ),
    Case(
        "one name for two kinds is no mismatch",
        "apiVersion: headway/v1\nkind: Quota\nmetadata: {name: standard}\nspec: {tenant: acme, scope: {tiers: [standard]}}\n",
    ),
]
