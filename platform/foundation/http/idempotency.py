"""Was this very request already made, and what was the answer?

The key is claimed in a transaction of its own before the work and answered after it. A claim whose
process died can be taken over once ``ABANDONED`` has passed; an answer is kept for ``KEPT``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from coordination.program.canonical import sha256_digest
from foundation.http.models import IdempotentRequest
from foundation.http.refusals import Conflict, Malformed

ABANDONED = timedelta(seconds=60)
KEPT = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{1,200}\Z")
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was given."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def fingerprint(method: str, path: str, precondition: str, body: bytes) -> str:
    """What makes two requests the same request."""
    return sha256_digest(b"\0".join([method.encode(), path.encode(), precondition.encode(), body]))


def claim(*, principal: str, key: str, request: str) -> Answer | None:
    """The earlier answer to the same request, or None: the key is now the caller's to answer.

    Raises ``Malformed`` for a key that cannot be one; ``Conflict`` when the key was used for another
    request (``idempotency_conflict``) or its request is still being answered (``idempotency_in_progress``).
    """
    if not _KEY.match(key):
        raise Malformed(
            "malformed_idempotency_key", "An Idempotency-Key is 1 to 200 visible ASCII characters."
        )
    for _ in range(_TRIES):
        now = timezone.now()
        try:
            with transaction.atomic():
                IdempotentRequest.objects.create(
                    principal=principal, key=key, fingerprint=request, started=now
                )
                return None
        except IntegrityError:
            earlier = IdempotentRequest.objects.filter(principal=principal, key=key).first()
        if earlier is None:
            continue  # its claimant failed meanwhile and gave the key back
        if earlier.started < now - KEPT:
            IdempotentRequest.objects.filter(pk=earlier.pk, started=earlier.started).delete()
            continue
        if earlier.fingerprint != request:
            raise Conflict(
                "idempotency_conflict",
                "This Idempotency-Key was used for another request; a new request takes a new key.",
            )
        if earlier.status is not None:
            return Answer(earlier.status, earlier.headers, bytes(earlier.body))
        abandoned = IdempotentRequest.objects.filter(
            pk=earlier.pk, status=None, started=earlier.started, started__lt=now - ABANDONED
        )
        if abandoned.update(started=now):
            return None
        break
    raise Conflict("idempotency_in_progress", "The same request is still being answered.", retry_after=1)


def settle(*, principal: str, key: str, answer: Answer) -> None:
    """Keep the answer for whoever asks again."""
    IdempotentRequest.objects.filter(principal=principal, key=key).update(
        status=answer.status, headers=dict(answer.headers), body=answer.body
    )


def release(*, principal: str, key: str) -> None:
    """Give the key back: the request was not carried out, so that it may be tried again."""
    IdempotentRequest.objects.filter(principal=principal, key=key, status=None).delete()


def prune(now: datetime | None = None) -> int:
    """Drop answers older than ``KEPT``; returns how many."""
    before = (now or timezone.now()) - KEPT
    count, _ = IdempotentRequest.objects.filter(started__lt=before).delete()
    return count
