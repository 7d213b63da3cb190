"""Objectives that one of the pools cannot keep."""
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
CASES = [
    Case(
        "one of two pools is too slow",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: ttft, target: 1s, uncached_input: {max: 2k}}], queue: {max_wait: 0s}",
        )
        + TWO_POOLS % (1, 1),
        (
            (
                "4:87",
                "pool `slow` cannot keep ttft of `priority` within 1s: a prompt of 2,000 tokens takes at least 2s",
            ),
        ),
        notes=("at full speed",),
    ),
    Case(
        "the slow one gets nothing",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: ttft, target: 1s, uncached_input: {max: 2k}}], queue: {max_wait: 0s}",
        )
        + TWO_POOLS % (1, 0),
        (),
        also=("REF106",),
    ),
    Case(
        "shorter prompts",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: ttft, target: 1s, uncached_input: {max: 1k}}], queue: {max_wait: 0s}",
        )
        + TWO_POOLS % (1, 1),
        (),
    ),
    Case(
        "a deadline is later than the first token",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: deadline, target: 1s, uncached_input: {max: 2k}}], queue: {max_wait: 0s}",
        )
        + TWO_POOLS % (1, 1),
        (("4:91", "pool `slow` cannot keep deadline of `priority` within 1s: a prompt of 2,000 tokens"),),
    ),
    Case(
        "no prompt is longer than the model takes",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: ttft, target: 100s, uncached_input: {max: 1M}}], queue: {max_wait: 0s}",
        )
        + TWO_POOLS % (1, 1),
        (("4:87", "a prompt of 128,000 tokens takes at least 128s"),),
    ),
]
