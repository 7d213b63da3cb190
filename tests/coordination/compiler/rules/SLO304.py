"""Waits that use an objective up (R17)."""

from tests.support.policies import Case

TIER = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: %s}
spec: {service_tier: [%s], band: %s, %s}
"""
PRIORITY, STANDARD = ("priority", "priority, fast", 300), ("standard", "default, standard", 200)
TWO_POOLS = """\
---
apiVersion: headway/v1
kind: Pool
metadata: {name: slow}
spec:
  model: llama-3-8b
  profile: measured-here
  replicas: {urls: ["http://slow:1"]}
  capacity: {input: 60k tokens/min, output: 60k tokens/min, sequences: 64, kv_tokens: 100k}
---
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 100, targets: [{pool: chat, weight: %s}, {pool: slow, weight: %s}]}
"""
CASES = [
    Case(
        "a wait of two seconds for one",
        TIER % (*PRIORITY, "objectives: [{metric: ttft, target: 1s}], queue: {max_wait: 2s}"),
        (("4:87", "within 1s is missed by whoever waits 2s"),),
        notes=("With a `max_wait` of 9",),
    ),
    Case(
        "prefill uses up the rest",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: ttft, target: 3s, uncached_input: {max: 2k}}], queue: {max_wait: 2s}",
        )
        + TWO_POOLS % (0, 1),
        (("4:87", "is missed by whoever waits 2s"),),
        notes=(
            "takes 2s on `slow`, so its first token comes after 4s",
            "With a `max_wait` of 1s",
        ),
        also=("REF106",),
    ),
    Case(
        "it just fits",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: ttft, target: 3s, uncached_input: {max: 1k}}], queue: {max_wait: 2s}",
        )
        + TWO_POOLS % (0, 1),
        (),
        also=("REF106",),
    ),
    Case(
        "below the floor, which is said elsewhere",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: ttft, target: 1s, uncached_input: {max: 2k}}], queue: {max_wait: 2s}",
        )
        + TWO_POOLS % (0, 1),
        (),
        also=(
            "REF106",
            "SLO305",
        ),
    ),
    Case(
        "a deadline that wait and prefill use up",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: deadline, target: 3s, uncached_input: {max: 2k}}], queue: {max_wait: 2s}",
        )
        + TWO_POOLS % (0, 1),
        (("4:91", "deadline of `priority` within 3s is missed by whoever waits 2s"),),
        also=("REF106",),
    ),
    Case(
        "the wait alone is too long, which is said elsewhere",
        TIER % (*PRIORITY, "objectives: [{metric: deadline, target: 2s}], queue: {max_wait: 2s}"),
        (),
        also=("SLO303",),
    ),
]
