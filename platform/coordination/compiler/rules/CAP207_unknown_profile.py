"""CAP207: a simulated pool with a profile the capacity model does not know: nothing could simulate it."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.capacity import PROFILES
from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import listed, replace, report
from coordination.diagnostics import Diagnostic, Nearest, Rule

RULE = Rule("CAP207", "error", "Unknown profile")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for pool in catalogue.pools.values():
        profile = pool.spec.profile
        if pool.spec.engine != "simulated" or profile in PROFILES:
            continue
        near = Nearest(PROFILES).to(profile)
        yield report(
            RULE,
            pool.document,
            "/spec/profile",
            f"there is no profile `{profile}` to simulate" + (f"; did you mean `{near}`?" if near else ""),
            notes=(f"Profiles: {listed(sorted(PROFILES), 20)}.",),
            fix=replace(f"write `{near}`", "/spec/profile", near) if near else None,
        )
