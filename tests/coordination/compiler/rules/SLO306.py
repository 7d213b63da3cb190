"""Shares of more than there is."""

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
        "110 percent",
        TIER % (*PRIORITY, "minimum_share: 60%") + "---\n" + TIER % (*STANDARD, "minimum_share: 50%"),
        (("9:69", "minimum shares of pool `chat` come to 110%"),),
        notes=(
            "standard 50%, priority 60%",
            "the share of `priority`",
        ),
    ),
    Case(
        "just the whole",
        TIER % (*PRIORITY, "minimum_share: 60%") + "---\n" + TIER % (*STANDARD, "minimum_share: 40%"),
        (),
    ),
]
