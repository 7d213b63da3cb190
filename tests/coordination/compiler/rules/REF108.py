"""Model names that could mean two things."""

from tests.support.policies import Case

MODELS = """\
apiVersion: headway/v1
kind: Model
metadata: {name: llama-3-8b}
spec: {context_window: 8k, aliases: [%s]}
---
apiVersion: headway/v1
kind: Model
metadata: {name: qwen}
spec: {context_window: 8k, served_name: %s}
"""
ALSO = ("REF106", "ROUTE403", "ROUTE406")
CASES = [
    Case(
        "an alias of one is the name of another",
        MODELS % ("qwen-2", "qwen-2"),
        (("9:41", "claimed by `llama-3-8b` and `qwen`"),),
        also=ALSO,
    ),
    Case(
        "an alias that is the served name",
        MODELS % ("llama-3-8b", "q"),
        (("4:38", "claimed twice"),),
        also=ALSO,
    ),
    Case("different names", MODELS % ("llama", "q"), also=ALSO),
]
