"""Expectations that speak of replicas nobody has."""

from tests.support.policies import Case

POLICY = """\
apiVersion: headway/v1
kind: Expectation
metadata: {name: e}
spec:
  given: {tenant: acme, model: llama-3-8b, prompt_tokens: 8k%s}
  expect: {verdict: admit%s}
"""
HELD = ', fleet: {chat: {replicas: [{url: "http://chat-%s:8000", cached: 6k}]}}'
GOES = ', replica: "http://chat-%s:8000"'

CASES = [
    Case("a state for nobody", POLICY % (HELD % 3, ""), (("5:95", "pool `chat` does not have a replica"),)),
    Case(
        "goes to nobody",
        POLICY % ("", GOES % 3),
        (("6:37", "no pool has a replica http://chat-3:8000; did you mean http://chat-"),),
    ),
    Case(
        "goes to nobody of that pool",
        POLICY % ("", ", pool: chat" + GOES % 4),
        (("6:49", "pool `chat` does not have a replica"),),
    ),
    Case("replicas as the pool has them", POLICY % (HELD % 2, GOES % 2 + ", reason: prefix")),
]
