"""Classes that share requests."""

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
%s"""


def classes(*written: str, metric: str = "ttft, percentile: 95", target: str = "30s") -> str:
    lines = (f"    - {{metric: {metric}, target: {target}, uncached_input: {one}}}\n" for one in written)
    return TIER % "".join(lines)


CASES = [
    Case(
        "the longer one holds the shorter one",
        classes("{max: 8k}", "{max: 32k}"),
        (("10:51", "promises ttft for up to 32,000 uncached input tokens, and for up to 8,000 uncached"),),
        notes=("A request with 1 of them counts in both", "the other class"),
    ),
    Case(
        "by one length, whatever the order",
        classes("{min: 8000}", "{min: 1, max: 8000}"),
        (("9:51", "for 8,000 uncached input tokens or more, and for 1 to 8,000 uncached"),),
        notes=("A request with 8,000 of them counts in both",),
    ),
    Case(
        "the same class twice",
        classes("{max: 8k}", "{max: 8k}"),
        (("10:51", "for up to 8,000 uncached input tokens, and for up to 8,000"),),
    ),
    Case(
        "each once, with the one that reaches farthest into it",
        classes("{max: 1k}", "{max: 8k}", "{min: 500, max: 4k}"),
        (
            ("10:51", "and for up to 1,000"),
            ("11:51", "for 500 to 4,000 uncached input tokens, and for up to 8,000"),
        ),
    ),
    Case("one begins where the other ends", classes("{max: 8k}", "{min: 8001, max: 32k}", "{min: 32001}")),
    Case(
        "another percentile of the same class",
        classes("{max: 8k}")
        + "    - {metric: ttft, percentile: 50, target: 9s, uncached_input: {max: 8k}}\n",
    ),
    Case(
        "another metric",
        classes("{max: 8k}") + "    - {metric: e2e, percentile: 95, target: 9s, uncached_input: {max: 8k}}\n",
    ),
    Case(
        "one that speaks of all",
        classes("{max: 8k}") + "    - {metric: ttft, percentile: 95, target: 60s}\n",
    ),
    Case(
        "95 is meant where no percentile stands, and deadlines have classes too",
        TIER % "    - {metric: deadline, target: 60s, uncached_input: {max: 8k}}\n"
        "    - {metric: deadline, percentile: 95, target: 90s, uncached_input: {min: 2k}}\n",
        (("10:55", "promises deadline for 2,000 uncached input tokens or more"),),
    ),
    Case("an empty one shares nothing", classes("{max: 8k}", "{min: 6k, max: 4k}"), also=("SLO309",)),
]
