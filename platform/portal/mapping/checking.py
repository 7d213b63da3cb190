"""Would the policy hold together with other weights in a tenant's quotas? Its own checks say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from coordination.diagnostics import Diagnostic
from coordination.spec import Document
from policies import selectors as policy
from policies.mapping import sets
from policies.services import clock
from portal.selectors.contract import Contract


def findings(environment: str, contract: Contract, weights: Mapping[str, int]) -> list[Diagnostic]:
    """What the policy's own checks say with these weights written into the teams' quotas."""
    revision = policy.current_revision(environment)
    if revision is None:
        return []
    edits = {
        ("Quota", document.name): with_weight(document, weights[document.spec.tenant])
        for document in contract.quotas
        if document.spec.tenant in weights
        and not document.spec.scope.tiers
        and not document.spec.scope.models
    }
    if not edits:
        return []
    candidate = sets.stored_set(revision.root_tree_id).with_edits(edits)
    return concerning(candidate.check(environment, clock.micros(clock.midnight())), contract)


def with_weight(document: Document, weight: int) -> Document:
    """A quota as it would be written with that weight."""
    spec = msgspec.structs.replace(document.spec, weight=weight)
    return Document(document.kind, document.metadata, spec, document.positions)


def concerning(found: Iterable[Diagnostic], contract: Contract) -> list[Diagnostic]:
    """Findings about the tenant's own quotas that speak of nobody else."""
    own = {document.name for document in contract.quotas}
    return [
        each
        for each in found
        if each.object is not None
        and each.object.kind == "Quota"
        and each.object.name in own
        and all(
            related.object is None or (related.object.kind == "Quota" and related.object.name in own)
            for related in each.related
        )
    ]
