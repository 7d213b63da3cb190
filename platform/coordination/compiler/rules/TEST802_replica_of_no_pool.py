"""TEST802: an expectation speaks of a replica that its pool does not have."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import replace, report
from coordination.diagnostics import Diagnostic, Nearest, Rule
from coordination.spec.kinds import Expectation
from coordination.spec.plain import quoted

RULE = Rule("TEST802", "error", "Replica of no pool")
NEEDS_WHOLE = True


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for entry in catalogue.expectations.values():
        for url, pool, where in _mentioned(entry.spec):
            pools = catalogue.pools if pool is None else {pool: catalogue.pools[pool]}
            urls = [each for one in pools.values() for each in one.spec.replicas.urls]
            if url in urls:
                continue
            near = Nearest(urls).to(url)
            of = "no pool has" if pool is None else f"pool {quoted(pool)} does not have"
            yield report(
                RULE,
                entry.document,
                where,
                f"{of} a replica {url}" + (f"; did you mean {near}?" if near else ""),
                fix=replace(f"write `{near}`", where, near) if near else None,
            )


def _mentioned(spec: Expectation) -> Iterator[tuple[str, str | None, str]]:
    """URL, the pool it must stand in (None: any), and its place in the document."""
    for pool, how in () if spec.given is None else spec.given.fleet.items():
        for i, one in enumerate(how.replicas):
            yield one.url, pool, f"/spec/given/fleet/{pool}/replicas/{i}/url"
    if spec.expect is not None and spec.expect.replica is not None:
        yield spec.expect.replica, spec.expect.pool, "/spec/expect/replica"
