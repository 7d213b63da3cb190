"""QUOTA509: a bound on a run or a session lies beyond a limit that would stop it first."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Quota
from coordination.spec.kinds.quota import Guards
from coordination.spec.quantities import write_count

RULE = Rule("QUOTA509", "warning", "Bound of a run out of reach")
NEEDS_WHOLE = False
COUNTED = {"tokens": "total_tokens", "steps": "requests"}


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for quota in catalogue.quotas.values():
        for name, guards in (("session", quota.spec.session), ("run", quota.spec.run)):
            if guards is not None:
                yield from _compare(quota, name, guards)


def _compare(quota: Entry[Quota], name: str, guards: Guards) -> Iterator[Diagnostic]:
    """A run that lasts longer than the period may pass its limit, so only months stop it for good."""
    concurrency = quota.spec.concurrency
    if guards.branches is not None and concurrency is not None and guards.branches > concurrency:
        yield report(
            RULE,
            quota.document,
            f"/spec/{name}/branches",
            f"a {name} may have {guards.branches:,} requests in flight, and `{quota.spec.tenant}` only "
            f"{concurrency:,} in all",
            related=(see(quota.document, "/spec/concurrency", "the tenant's own limit"),),
        )
    for field, of in COUNTED.items():
        bound = getattr(guards, field)
        for i, limit in enumerate(quota.spec.limits):
            if bound is None or limit.of != of or limit.per != "month" or not isinstance(limit.limit, int):
                continue
            if bound > limit.limit:
                yield report(
                    RULE,
                    quota.document,
                    f"/spec/{name}/{field}",
                    f"a {name} may use {write_count(bound)} {field}, and `{quota.spec.tenant}` "
                    f"{write_count(limit.limit)} in a whole month",
                    related=(see(quota.document, f"/spec/limits/{i}/limit", "the limit of the month"),),
                )
