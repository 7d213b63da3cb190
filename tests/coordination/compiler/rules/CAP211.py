"""Reservations of a model where no pool serves it."""

from tests.support.policies import Case

RESERVED = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec:
  tenant: acme
  model: %s
  regions: [%s]
  tier: priority
  throughput: {input: 100k tokens/min, output: 10k tokens/min}
"""
UNSERVED = """\
---
apiVersion: headway/v1
kind: Model
metadata: {name: other}
spec: {context_window: 8k}
"""
CASES = [
    Case(
        "a region without a pool of it",
        RESERVED % ("llama-3-8b", "local, moon"),
        (("7:20", "no pool in region `moon` serves model `llama-3-8b`"),),
        notes=("It is served in `local`.",),
    ),
    Case(
        "no pool at all",
        RESERVED % ("other", "") + UNSERVED,
        (("6:10", "no pool serves model `other`, so nothing can be promised of it"),),
        also=("REF106", "ROUTE406"),
    ),
    Case("everywhere", RESERVED % ("llama-3-8b", ""), ()),
    Case("where it is served", RESERVED % ("llama-3-8b", "local"), ()),
]
