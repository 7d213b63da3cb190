"""REF105: a tenant's path names a parent that does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("REF105", "error", "Tenant without its parent")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    names = catalogue.names("Tenant")
    if {name.rpartition("/")[0] for name in names} <= names | {""}:
        return
    for name in sorted(names):
        parent = name.rpartition("/")[0]
        if parent and parent not in names and not catalogue.knows("Tenant", parent):
            yield report(
                RULE,
                catalogue.tenants[name].document,
                "/metadata/name",
                f"tenant `{name}` has no parent: there is no Tenant `{parent}`",
                notes=("A tenant's name is its full path; the parent is the part before the last `/`.",),
            )
