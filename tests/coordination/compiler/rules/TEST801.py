"""Expectations that the policy does not fulfil."""

from tests.support.policies import Case

POLICY = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: acme}
spec: {tenant: acme, limits: [{of: requests, per: 1m, limit: 2}]}
---
apiVersion: headway/v1
kind: Expectation
metadata: {name: e}
spec:
  given: {tenant: acme, model: llama-3-8b%s}
  expect: {%s}
"""


def policy(given: str, expect: str) -> str:
    return POLICY % (f", {given}" if given else "", expect)


CASES = [
    Case(
        "another verdict",
        policy("served: 2", "verdict: admit"),
        (("11:21", "expected verdict admit, reason none; found verdict refuse, reason rate_limit_exceeded"),),
        notes=("R9  ",),
    ),
    Case("the last that is let in", policy("served: 1", "verdict: admit, tier: standard, pool: chat")),
    Case("the refusal that was meant", policy("served: 2", "verdict: refuse, reason: rate_limit_exceeded")),
    Case(
        "another tier",
        policy("tier: priority", "verdict: admit, tier: standard"),
        (("11:34", "expected tier standard; found tier priority"),),
    ),
    Case(
        "a pool whose replicas are full",
        policy("fleet: {chat: {load: 100%}}", "verdict: admit"),
        (("11:21", "expected verdict admit; found verdict queue"),),
    ),
    Case("a busy pool that still takes one", policy("fleet: {chat: {load: 95%}}", "verdict: admit")),
    Case(
        "a tier nobody gave it",
        policy("service_tier: scale", "verdict: refuse, reason: tier_not_entitled"),
    ),
    Case(
        "nothing is asked of a policy that is broken elsewhere",
        policy("served: 2", "verdict: admit").replace("tenant: acme, limits", "tenant: nobody, limits"),
        also=("REF101",),
    ),
]
