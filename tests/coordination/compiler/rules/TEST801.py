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
        "a prompt goes where its beginning is held",
        policy(
            'prompt_tokens: 8k, fleet: {chat: {replicas: [{url: "http://chat-2:8000", cached: 6k}]}}',
            'verdict: admit, replica: "http://chat-2:8000", reason: prefix, wait: {at_most: 0s}',
        ),
    ),
    Case(
        "it is held elsewhere",
        policy(
            'prompt_tokens: 8k, fleet: {chat: {replicas: [{url: "http://chat-2:8000", cached: 6k}]}}',
            'verdict: admit, replica: "http://chat-1:8000"',
        ),
        (("11:37", "expected replica http://chat-1:8000; found replica http://chat-2:8000"),),
    ),
    Case(
        "nothing is held, so the one with less to do is the reason",
        policy(
            'prompt_tokens: 8k, fleet: {chat: {replicas: [{url: "http://chat-1:8000", backlog: 100ms}]}}',
            'verdict: admit, replica: "http://chat-2:8000", reason: prefix',
        ),
        (("11:67", "expected reason prefix; found reason load"),),
    ),
    Case(
        "a longer wait than it may have",
        policy(
            "prompt_tokens: 8k, fleet: {chat: {backlog: 800ms}}", "verdict: queue, wait: {at_most: 500ms}"
        ),
        (("11:28", "expected wait at most 500ms; found wait 550ms"),),
    ),
    Case(
        "as long as it may have to wait",
        policy(
            "prompt_tokens: 8k, fleet: {chat: {backlog: 800ms}}", "verdict: queue, wait: {at_most: 550ms}"
        ),
    ),
    Case(
        "nobody knows when a place is free",
        policy("fleet: {chat: {load: 100%}}", "verdict: queue, wait: {at_most: 900ms}"),
        (("11:28", "expected wait at most 900ms; found wait 1s"),),
    ),
    Case(
        "a session goes home",
        policy(
            'prompt_tokens: 8k, fleet: {chat: {replicas: [{url: "http://chat-2:8000", session: true}]}}',
            'verdict: admit, replica: "http://chat-2:8000", reason: session',
        )
        + """\
---
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 100, targets: [{pool: chat}], placement: {sticky_for: 10m}}
""",
    ),
    Case(
        "by turns",
        policy("served: 1", 'verdict: admit, replica: "http://chat-2:8000", reason: turn')
        + """\
---
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 100, targets: [{pool: chat}], placement: {strategy: round_robin}}
""",
    ),
    Case(
        "nothing is asked of a policy that is broken elsewhere",
        policy("served: 2", "verdict: admit").replace("tenant: acme, limits", "tenant: nobody, limits"),
        also=("REF101",),
    ),
]
