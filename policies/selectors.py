"""What is written, current, proposed and built? Reads only; every list can be read page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import Q, QuerySet

from policies.models import (
    Build,
    Bundle,
    BundleFile,
    ChangeSet,
    Check,
    Document,
    EnvironmentHead,
    Head,
    Operation,
    Reference,
    Revision,
    Tree,
)

CHUNK = 500
"""Values in one IN list: every database takes that many."""
Key = tuple[str, str]
"""(kind, name) of an object."""


# -- what is current ------------------------------------------------------------------------------


def environment_exists(environment: str) -> bool:
    return EnvironmentHead.objects.filter(pk=environment).exists()


def environments() -> list[str]:
    return list(EnvironmentHead.objects.values_list("environment", flat=True))


def current_revision(environment: str) -> Revision | None:
    """The revision ``environment`` is at; None before its first merge."""
    head = EnvironmentHead.objects.filter(pk=environment).select_related("revision").first()
    return head.revision if head else None


def heads(environment: str, kind: str = "", *, search: str = "", tenant: str = "") -> QuerySet[Head]:
    """Current documents. ``search`` finds part of a name, ``tenant`` the tenant and all below it."""
    found = Head.objects.filter(environment=environment)
    if kind:
        found = found.filter(kind=kind)
    if search:
        found = found.filter(name__icontains=search)
    if tenant:
        found = found.filter(Q(tenant=tenant) | Q(tenant__startswith=f"{tenant}/"))
    return found


def head(environment: str, kind: str, name: str) -> Head | None:
    """One current document, with its body."""
    return heads(environment, kind).filter(name=name).select_related("document").first()


def digests(environment: str, keys: Iterable[Key]) -> dict[Key, str]:
    """Digest of each current document among ``keys``; those that do not exist are left out."""
    names: dict[str, list[str]] = {}
    for kind, name in keys:
        names.setdefault(kind, []).append(name)
    found: dict[Key, str] = {}
    for kind, wanted in names.items():
        for part in _chunks(wanted):
            rows = heads(environment, kind).filter(name__in=part).values_list("name", "document_id")
            found.update({(kind, name): digest for name, digest in rows})
    return found


def all_digests(environment: str) -> dict[Key, str]:
    """Digest of every current document."""
    rows = heads(environment).order_by().values_list("kind", "name", "document_id")
    return {(kind, name): digest for kind, name, digest in rows.iterator(chunk_size=CHUNK * 4)}


def used_by(environment: str, kind: str, name: str) -> QuerySet[Reference]:
    """Every place of a current document that names this object."""
    return Reference.objects.filter(environment=environment, to_kind=kind, to_name=name)


def history(environment: str, kind: str, name: str) -> QuerySet[Operation]:
    """What was ever merged for one object, newest first."""
    return (
        Operation.objects.filter(
            change_set__environment=environment,
            change_set__state=ChangeSet.State.MERGED,
            kind=kind,
            name=name,
        )
        .select_related("change_set", "new_document")
        .order_by("-change_set__ended_at", "-id")
    )


# -- what was written -----------------------------------------------------------------------------


def documents(wanted: Iterable[str]) -> Iterator[Document]:
    """The documents of these digests, in no order."""
    for part in _chunks(sorted(wanted)):
        yield from Document.objects.filter(digest__in=part)


def document(digest: str) -> Document | None:
    return Document.objects.filter(pk=digest).first()


def revisions(environment: str) -> QuerySet[Revision]:
    """Newest first."""
    return Revision.objects.filter(environment=environment).order_by("-number")


def revision(digest: str) -> Revision | None:
    return Revision.objects.filter(pk=digest).first()


def revision_of(environment: str, address: str) -> Revision | None:
    """A revision of an environment by what it is called: its number, its digest, or ``current``."""
    if address == "current":
        return current_revision(environment)
    found = Revision.objects.filter(environment=environment)
    if address.startswith("sha256:"):
        return found.filter(pk=address).first()
    return found.filter(number=int(address)).first() if address.isdecimal() else None


def trees(wanted: Iterable[str]) -> dict[str, bytes]:
    """Tree objects by digest; those that do not exist are left out."""
    found: dict[str, bytes] = {}
    for part in _chunks(sorted(wanted)):
        rows = Tree.objects.filter(digest__in=part).values_list("digest", "body")
        found.update((digest, bytes(body)) for digest, body in rows)
    return found


# -- what is proposed -----------------------------------------------------------------------------


def change_sets(environment: str = "", state: str = "") -> QuerySet[ChangeSet]:
    """Newest first; an empty argument does not filter."""
    found = ChangeSet.objects.order_by("-id")
    if environment:
        found = found.filter(environment=environment)
    return found.filter(state=state) if state else found


def change_set(number: int) -> ChangeSet | None:
    return ChangeSet.objects.filter(pk=number).first()


def operations(proposed: ChangeSet) -> QuerySet[Operation]:
    return proposed.operations.select_related("new_document").order_by("kind", "name")


def checks(proposed: ChangeSet) -> QuerySet[Check]:
    """Of its operations as they are now; what was found out about earlier ones is left behind."""
    return proposed.checks.filter(head_digest=proposed.head_digest).order_by("name")


# -- what was built -------------------------------------------------------------------------------


def build_of(revision: Revision, *, at: datetime, compiler: str) -> Build | None:
    found = Build.objects.filter(
        revision=revision, environment=revision.environment, at=at, compiler=compiler
    )
    return found.select_related("bundle").first()


def newest_build(revision: Revision) -> Build | None:
    """The last one made of it; a refreshed timeline is a later build of the same revision."""
    return Build.objects.filter(revision=revision).order_by("-id").first()


def build_at(bundle: str) -> datetime | None:
    """The start of a bundle's timeline; None for one that was not built here."""
    return Build.objects.filter(bundle=bundle).values_list("at", flat=True).order_by("-at").first()


def bundle(digest: str) -> Bundle | None:
    return Bundle.objects.filter(pk=digest).first()


def file_contents(wanted: Iterable[str]) -> dict[str, bytes]:
    """Contents of bundle files by digest; those that do not exist are left out."""
    found: dict[str, bytes] = {}
    for part in _chunks(sorted(wanted)):
        rows = BundleFile.objects.filter(sha256__in=part).values_list("sha256", "content")
        found.update((sha256, bytes(content)) for sha256, content in rows)
    return found


def _chunks(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
