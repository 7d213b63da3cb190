"""Fallbacks that change the model."""

from tests.support.policies import Case

OTHER = """\
apiVersion: headway/v1
kind: Model
metadata: {name: qwen}
spec: {context_window: 8k}
---
apiVersion: headway/v1
kind: Pool
metadata: {name: qwens}
spec:
  model: qwen
  profile: p
  replicas: {urls: ["http://qwen:1"]}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
---
apiVersion: headway/v1
kind: Route
metadata: {name: qwen}
spec: {rank: 1, match: {models: [qwen]}, targets: [{pool: qwens}]}
---
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 2, match: %s, targets: [{pool: chat}%s]%s}
"""

CASES = [
    Case(
        "another model would answer",
        OTHER % ("{models: [llama-3-8b]}", "", ", fallback: [qwens]"),
        (("23:84", "fallback pool `qwens` serves model `qwen`; the targets serve `llama-3-8b`"),),
    ),
    Case("no fallback", OTHER % ("{models: [llama-3-8b]}", "", "")),
]
