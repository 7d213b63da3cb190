"""Is there such a thing? An override about nothing would be believed to have helped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coordination.spec.quantities import Money
from foundation.http import FieldError, Invalid
from policies import selectors as policy
from policies.mapping import documents
from policies.models import Head
from tenancy.models import ApiKey


def require_known(environment: str, kind: str, subject: str) -> None:
    """``Invalid`` (``unknown_subject``) unless the policy as it stands, or the keys, know ``subject``."""
    match kind:
        case "block_tenant":
            known = policy.head(environment, "Tenant", subject) is not None
        case "block_key":
            known = ApiKey.objects.filter(environment=environment, key_id=subject, revoked_at=None).exists()
        case "drain_pool" | "wake_pool":
            known = policy.head(environment, "Pool", subject) is not None
        case "drain_replica":
            pools = replicas(environment).values()
            # Of a pool that is found by name only its gateways know the replicas.
            known = any(subject in urls or not urls for urls in pools)
        case "raise_limit":
            known = limit(environment, subject) is not None
        case _:
            known = True
    if not known:
        said = f"`{environment}` has nothing of that name that {kind.replace('_', ' ')} could be about"
        raise Invalid("unknown_subject", f"{said}.", errors=[FieldError("/subject", "unknown_subject", said)])


def replicas(environment: str) -> dict[str, tuple[str, ...]]:
    """Pool -> the URLs of its replicas, in the policy as it stands."""
    heads = Head.objects.filter(environment=environment, kind="Pool").order_by("name")
    digests = dict(heads.values_list("name", "document_id"))
    found, _ = documents.parse(digests.values())
    return {
        name: tuple(_spec(found[digest]).replicas.urls) for name, digest in digests.items() if digest in found
    }


@dataclass(frozen=True, slots=True)
class Limited:
    """One limit of one quota, as written. Amounts in requests, tokens or nano-units of money, by ``of``."""

    tenant: str
    quota: str
    of: str
    per: str
    most: int
    currency: str = ""

    @property
    def subject(self) -> str:
        """As overrides name it."""
        return f"{self.quota}:{self.of}:{self.per}"


def limits(environment: str) -> list[Limited]:
    """Every limit of every quota, in the policy as it stands."""
    heads = Head.objects.filter(environment=environment, kind="Quota").order_by("name")
    digests = dict(heads.values_list("name", "document_id"))
    found, _ = documents.parse(digests.values())
    return [
        _limited(name, _spec(found[digest]).tenant, one)
        for name, digest in digests.items()
        if digest in found
        for one in _spec(found[digest]).limits
    ]


def _limited(quota: str, tenant: str, one: Any) -> Limited:
    if isinstance(one.limit, Money):
        return Limited(tenant, quota, one.of, one.per, one.limit.nano, one.limit.currency)
    return Limited(tenant, quota, one.of, one.per, one.limit)


def limit(environment: str, subject: str) -> tuple[str, int, Any] | None:
    """Of QUOTA:OF:PER: the digest of the quota's document, the limit's place in it, and how much it is."""
    name, _, rest = subject.partition(":")
    of, _, per = rest.partition(":")
    head = policy.head(environment, "Quota", name)
    if head is None:
        return None
    document = documents.parse([head.document_id])[0].get(head.document_id)
    for position, one in enumerate(_spec(document).limits if document is not None else ()):
        if (one.of, one.per) == (of, per):
            return head.document_id, position, one.limit
    return None


def raised_quota(environment: str, subject: str, amount_ppm: int) -> tuple[str, str, dict[str, Any]] | None:
    """The quota's name, the digest of its document, and the document with the limit raised for good."""
    found = limit(environment, subject)
    row = policy.document(found[0]) if found is not None else None
    if found is None or row is None:
        return None
    digest, position, amount = found
    body = documents.as_json(row)
    body["spec"]["limits"][position]["limit"] = raised(amount, amount_ppm)
    return row.name, digest, body


def raised(amount: Any, amount_ppm: int) -> int | str:
    if not isinstance(amount, Money):
        return int(amount) * amount_ppm // 1_000_000
    nano = amount.nano * amount_ppm // 1_000_000
    whole, part = divmod(nano, 1_000_000_000)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".") + f" {amount.currency}"


def _spec(document: Any) -> Any:
    return document.spec
