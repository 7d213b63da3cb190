"""QUOTA510: more sequences than may ever run: a cap lies beyond a limit that stops requests first."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("QUOTA510", "warning", "Cap out of reach")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    quotas = list(catalogue.quotas.values())
    whole = {q.spec.tenant: q for q in quotas if not q.spec.scope.tiers and not q.spec.scope.models}
    for quota in quotas:
        spec = quota.spec
        most = None if spec.caps is None else spec.caps.sequences
        if most is None:
            continue
        if spec.concurrency is not None and most > spec.concurrency:
            yield report(
                RULE,
                quota.document,
                "/spec/caps/sequences",
                f"`{spec.tenant}` may run {most:,} requests in a pool, and have only {spec.concurrency:,} in "
                "progress",
                related=(see(quota.document, "/spec/concurrency", "the limit that stops it first"),),
            )
        above = spec.tenant
        while "/" in above:
            above = above.rpartition("/")[0]
            parent = whole.get(above)
            limit = None if parent is None or parent.spec.caps is None else parent.spec.caps.sequences
            if parent is not None and limit is not None and most > limit:
                yield report(
                    RULE,
                    quota.document,
                    "/spec/caps/sequences",
                    f"`{spec.tenant}` may run {most:,} requests in a pool, and `{above}`, which it is "
                    f"part of, only {limit:,}",
                    related=(see(parent.document, "/spec/caps/sequences", "the cap that holds first"),),
                )
                break
