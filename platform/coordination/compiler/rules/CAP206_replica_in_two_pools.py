"""CAP206: one replica stands in two pools (or twice in one), so its capacity is promised twice."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Pool

RULE = Rule("CAP206", "error", "Replica counted twice")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    first: dict[str, tuple[Entry[Pool], str]] = {}
    for pool in catalogue.pools.values():
        held = pool.spec.replicas
        named = {f"/spec/replicas/urls/{i}": url for i, url in enumerate(held.urls)}
        if held.dns is not None:
            named["/spec/replicas/dns"] = held.dns.lower()
        for where, url in named.items():
            if url not in first:
                first[url] = (pool, where)
                continue
            other, place = first[url]
            yield report(
                RULE,
                pool.document,
                where,
                f"replica {url} stands in pool `{other.name}` already; its capacity would count twice",
                related=(see(other.document, place, f"it stands in `{other.name}` here"),),
            )
