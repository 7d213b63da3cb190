"""What is a document found by? Its head and its references, worked out of the document alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from coordination.spec import Document
from coordination.spec.plain import pointer
from policies.models import Head, Reference

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def head_of(environment: str, document: Document, digest: str) -> Head:
    """The index row of a current document; what its kind does not have is left empty."""
    spec = document.spec
    window = getattr(spec, "window", None)
    is_tenant = document.kind == "Tenant"
    return Head(
        environment=environment,
        kind=document.kind,
        name=document.name,
        document_id=digest,
        tenant=document.name if is_tenant else getattr(spec, "tenant", ""),
        tier=getattr(spec, "tier", ""),
        pool=getattr(spec, "pool", None) or "",
        rank=getattr(spec, "rank", None),
        starts=_instant(getattr(window, "from_", None)),
        ends=_instant(getattr(window, "until", None)),
        labels={**document.metadata.labels, **(spec.labels if is_tenant else {})},
    )


def references_of(environment: str, document: Document) -> list[Reference]:
    """Every place of the document that names another object."""
    return [
        Reference(
            environment=environment,
            kind=document.kind,
            name=document.name,
            to_kind=mention.kind,
            to_name=mention.name,
            pointer=pointer(mention.path),
        )
        for mention in document.mentions()
    ]


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else EPOCH + timedelta(microseconds=micros)
