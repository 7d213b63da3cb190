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
TIER = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: priority}
spec: {service_tier: [priority, fast], band: 300, objectives: [%s]}
"""
CASES = [
    Case(
        "availability has no percentile",
        TIER % "{metric: availability, percentile: 99, target: 99.9%}",
        (("4:87", "`percentile` does not go with `metric: availability`"),),
    ),
    Case(
        "nor is it for some lengths",
        TIER % "{metric: availability, target: 99.9%, uncached_input: {max: 8k}}",
        (("4:102", "`uncached_input` does not go with"),),
    ),
    Case(
        "a tier said twice",
        POLICY % (", tier: priority, service_tier: fast", "verdict: admit"),
        (("5:60", "`service_tier` does not go with `tier`"),),
    ),
    Case(
        "a reason to admit",
        POLICY % ("", "verdict: admit, reason: no_route"),
        (("6:28", "`reason` does not go with `verdict: admit`"),),
        notes=("Only a refusal has a code;",),
    ),
    Case(
        "a pool for what is refused",
        POLICY % (", prompt_tokens: 999k", "verdict: refuse, pool: chat"),
        (("6:29", "`pool` does not go with `verdict: refuse`"),),
    ),
    Case(
        "a replica for what is refused",
        POLICY
        % (", prompt_tokens: 999k", 'verdict: refuse, replica: "http://chat-1:8000", wait: {at_most: 1s}'),
        (("6:29", "`replica` does not go with"), ("6:60", "`wait` does not go with")),
    ),
    Case(
        "refused for the sake of a cache",
        POLICY % (", prompt_tokens: 999k", "verdict: refuse, reason: prefix"),
        (("6:29", "`reason` does not go with `verdict: refuse`"),),
        notes=("A refusal has a code.",),
    ),
    Case(
        "a refusal with its reason",
        POLICY % (", prompt_tokens: 999k", "verdict: refuse, reason: context_length_exceeded"),
    ),
]
