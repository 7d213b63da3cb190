"""Classes that no request is in."""

from tests.support.policies import Case

TIER = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: priority}
spec:
  service_tier: [priority, fast]
  band: 300
  queue: {max_wait: 0s}
  objectives:
    - {metric: %s, target: 60s, uncached_input: %s}
"""
CASES = [
    Case(
        "the ends are the wrong way round",
        TIER % ("ttft", "{min: 32k, max: 8k}"),
        (("9:35", "no prompt has at least 32,000 and at most 8,000 uncached tokens"),),
    ),
    Case(
        "longer than the model takes",
        TIER % ("deadline", "{min: 200k}"),
        (
            (
                "9:39",
                "no model that `priority` is served by takes a prompt of 200,000 tokens: 128,000 are",
            ),
        ),
    ),
    Case("one length alone", TIER % ("ttft", "{min: 8k, max: 8k}")),
    Case("the longest that fits", TIER % ("ttft", "{min: 128k}")),
    Case("it may end beyond what the model takes", TIER % ("ttft", "{min: 8k, max: 1M}")),
]
