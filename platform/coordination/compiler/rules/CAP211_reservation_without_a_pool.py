"""CAP211: a reservation of a model where no pool serves it, so nothing could be promised."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import listed, report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("CAP211", "error", "Reservation without a pool")
NEEDS_WHOLE = True


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    regions: dict[str, set[str]] = {}
    for pool in catalogue.pools.values():
        regions.setdefault(pool.spec.model, set()).add(pool.spec.region)
    for reservation in catalogue.reservations.values():
        spec = reservation.spec
        model = catalogue.models.get(spec.model) if spec.model is not None else None
        if model is None:
            continue
        there = sorted(regions.get(model.name, ()))
        if not there:
            yield report(
                RULE,
                reservation.document,
                "/spec/model",
                f"no pool serves model `{model.name}`, so nothing can be promised of it",
                related=(see(model.document, "/metadata/name", "the model"),),
            )
            continue
        for i, region in enumerate(spec.regions):
            if region not in there:
                yield report(
                    RULE,
                    reservation.document,
                    f"/spec/regions/{i}",
                    f"no pool in region `{region}` serves model `{model.name}`",
                    notes=(f"It is served in {listed(there)}.",),
                )
