"""Targets that serve another model."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

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
        "every model is matched",
        OTHER % ("{}", "", ""),
        (
            (
                "23:45",
                "pool `chat` serves model `llama-3-8b`, but route `everything` matches every model, among them `qwen`",
            ),
        ),
    ),
    Case(
        "a second target of another model",
        OTHER % ("{models: [llama-3-8b]}", ", {pool: qwens}", ""),
        (("23:79", "but route `everything` matches `llama-3-8b`"),),
    ),
    Case("the model it serves", OTHER % ("{models: [llama-3-8b]}", "", "")),
]
