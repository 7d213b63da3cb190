"""Fields that exclude each other."""

from tests.support.policies import Case

POLICY = """\
apiVersion: headway/v1
kind: Expectation
metadata: {name: e}
spec:
  given: {tenant: acme, model: llama-3-8b%s}
  expect: {%s}
"""
CASES = [
    Case(
        "a tier said twice",
        POLICY % (", tier: priority, service_tier: fast", "verdict: admit"),
        (("5:60", "`service_tier` does not go with `tier`"),),
    ),
    Case(
        "a reason to admit",
        POLICY % ("", "verdict: admit, reason: no_route"),
        (("6:28", "`reason` does not go with `verdict: admit`"),),
        notes=("Only a refusal has a reason.",),
    ),
    Case(
        "a pool for what is refused",
        POLICY % (", prompt_tokens: 999k", "verdict: refuse, pool: chat"),
        (("6:29", "`pool` does not go with `verdict: refuse`"),),
    ),
    Case(
        "a refusal with its reason",
        POLICY % (", prompt_tokens: 999k", "verdict: refuse, reason: context_length_exceeded"),
    ),
]
