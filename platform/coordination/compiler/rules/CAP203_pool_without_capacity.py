"""CAP203: a pool that does not say what its replicas can do; nothing could be promised or planned."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("CAP203", "error", "Pool without capacity")
NEEDS_WHOLE = False
EXAMPLE = "capacity: {input: 2.2M tokens/min, output: 300k tokens/min, sequences: 256, kv_tokens: 430k}"


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for pool in catalogue.pools.values():
        if pool.spec.capacity is None:
            yield report(
                RULE,
                pool.document,
                "/spec",
                f"pool `{pool.name}` states no capacity",
                on="key",
                notes=(f"Say what one replica does when it does nothing else: `{EXAMPLE}`.",),
            )
