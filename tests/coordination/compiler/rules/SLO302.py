"""Lower bands that promise more."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

TIER = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: %s}
spec: {service_tier: [%s], band: %s, %s}
"""
PRIORITY, STANDARD = ("priority", "priority, fast", 300), ("standard", "default, standard", 200)
CASES = [
    Case(
        "a lower band is to be quicker",
        TIER % (*PRIORITY, "objectives: [{metric: ttft, target: 4s}], queue: {max_wait: 0s}")
        + "---\n"
        + TIER % (*STANDARD, "objectives: [{metric: ttft, target: 2s}], queue: {max_wait: 0s}"),
        (
            (
                "9:90",
                "`standard` (band 200) promises ttft within 2s, and `priority` (band 300), which goes first, within 4s",
            ),
        ),
    ),
    Case(
        "a higher one is",
        TIER % (*PRIORITY, "objectives: [{metric: ttft, target: 2s}], queue: {max_wait: 0s}")
        + "---\n"
        + TIER % (*STANDARD, "objectives: [{metric: ttft, target: 4s}], queue: {max_wait: 0s}"),
        (),
    ),
    Case(
        "for short prompts only",
        TIER % (*PRIORITY, "objectives: [{metric: ttft, target: 4s}], queue: {max_wait: 0s}")
        + "---\n"
        + TIER
        % (
            *STANDARD,
            "objectives: [{metric: ttft, target: 2s, uncached_input: {max: 1k}}], queue: {max_wait: 0s}",
        ),
        (),
    ),
    Case(
        "of fewer requests",
        TIER % (*PRIORITY, "objectives: [{metric: ttft, target: 4s, percentile: 99}], queue: {max_wait: 0s}")
        + "---\n"
        + TIER
        % (*STANDARD, "objectives: [{metric: ttft, target: 2s, percentile: 50}], queue: {max_wait: 0s}"),
        (),
    ),
    Case(
        "more often there",
        TIER % (*PRIORITY, "objectives: [{metric: availability, target: 99%}]")
        + "---\n"
        + TIER % (*STANDARD, "objectives: [{metric: availability, target: 99.9%}]"),
        (("9:98", "promises availability of 99.9%, and"),),
    ),
    Case(
        "a later band with an earlier deadline",
        TIER % (*PRIORITY, "objectives: [{metric: deadline, target: 60s}], queue: {max_wait: 0s}")
        + "---\n"
        + TIER
        % (
            *STANDARD,
            "objectives: [{metric: deadline, target: 20s, uncached_input: {max: 8k}}], queue: {max_wait: 0s}",
        ),
        (),
    ),
    Case(
        "of the same class",
        TIER
        % (
            *PRIORITY,
            "objectives: [{metric: deadline, target: 60s, uncached_input: {max: 4k}}], queue: {max_wait: 0s}",
        )
        + "---\n"
        + TIER
        % (
            *STANDARD,
            "objectives: [{metric: deadline, target: 20s, uncached_input: {max: 8k}}], queue: {max_wait: 0s}",
        ),
        (("9:94", "promises deadline for up to 8,000 uncached input tokens within 20s"),),
    ),
]
