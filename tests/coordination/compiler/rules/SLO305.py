"""Objectives that nothing could keep."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

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
ROUTE = """\
---
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 100, match: {tiers: [priority, standard]}, targets: [{pool: chat}]}
"""
CASES = [
    Case(
        "a prompt takes longer",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: ttft, target: 1s, uncached_input: {max: 2k}}], queue: {max_wait: 0s}",
        )
        + TWO_POOLS % (0, 1),
        (
            (
                "4:87",
                "no pool can keep ttft of `priority` within 1s: a prompt of 2,000 tokens takes at least 2s, on `slow`",
            ),
        ),
        also=("REF106",),
    ),
    Case(
        "a token takes longer",
        TIER % (*PRIORITY, "objectives: [{metric: itl, target: 1ms}]"),
        (("4:86", "no pool can keep itl of `priority` within 1ms: a prompt of 1 token takes at least"),),
    ),
    Case(
        "nothing is known of the engine between tokens",
        TIER % (*PRIORITY, "objectives: [{metric: itl, target: 1ms}]") + TWO_POOLS % (0, 1),
        (),
        also=("REF106",),
    ),
    Case(
        "nobody serves it",
        TIER % (*("flex", "flex", 100), "objectives: [{metric: ttft, target: 1s}], queue: {max_wait: 0s}")
        + ROUTE,
        (("4:41", "`flex` has objectives, and no route sends its requests to any pool"),),
        also=(
            "REF106",
            "ROUTE403",
        ),
    ),
    Case(
        "there is time",
        TIER % (*PRIORITY, "objectives: [{metric: ttft, target: 60s}]"),
        (),
    ),
    Case(
        "a class whose prefill alone takes longer than the deadline",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: deadline, target: 1s, uncached_input: {max: 2k}}], queue: {max_wait: 0s}",
        )
        + TWO_POOLS % (0, 1),
        (("4:91", "no pool can keep deadline of `priority` within 1s: a prompt of 2,000 tokens"),),
        also=("REF106",),
    ),
]
