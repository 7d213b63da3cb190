"""Replicas that count twice."""

from tests.support.policies import Case

POOL = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: other}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["%s"]}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
"""
NAMED = POOL.replace("other", "%s").replace('{urls: ["%s"]}', '{dns: "%s", count: 2}')
CASES = [
    Case(
        "a replica of another pool",
        POOL % "http://chat-2:8000",
        (("7:21", "stands in pool `chat` already"),),
        also=("REF106",),
    ),
    Case(
        "a name that stands for the replicas of another pool",
        NAMED % ("other", "Chat.eu:8000") + "---\n" + NAMED % ("third", "chat.eu:8000"),
        (("16:19", "replica chat.eu:8000 stands in pool `other` already"),),
        also=("REF106",),
    ),
    Case("replicas of its own", POOL % "http://other-2:8000", also=("REF106",)),
]
