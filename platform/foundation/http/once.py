"""How is a form that is sent twice carried out once?

Every form that changes something carries a token. The first to arrive claims it; whoever comes after
is sent where the first one was sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.http import HttpRequest

from foundation.http import Conflict
from foundation.http.idempotency import Answer, claim, fingerprint, release, settle

FIELD = "token"


@dataclass(slots=True)
class Once:
    """One attempt. ``earlier`` is where the first one led, if this is a repeat."""

    earlier: str | None = None
    leads_to: str = ""
    """Where this one leads: set by the view when it has done its work."""


def new_token() -> str:
    return secrets.token_urlsafe(18)


@contextmanager
def once(request: HttpRequest) -> Iterator[Once]:
    """Claim the form's token; give it back if the work is refused or fails, so it can be tried again.

    A token that was spent on other content (somebody went back and edited) counts as a new one: what
    guards the change itself is the digest it was based on. Raises ``Refused`` while the first attempt
    is still being carried out.
    """
    principal, key = f"user:{request.user.pk}", request.POST.get(FIELD, "") or new_token()
    # What was filled in, not the bytes it came in: those are gone once a multipart form was read.
    print_ = fingerprint("POST", request.path, "", request.POST.urlencode().encode())
    try:
        earlier = claim(principal=principal, key=key, request=print_)
    except Conflict as conflict:
        if conflict.code != "idempotency_conflict":
            raise
        key = new_token()
        earlier = claim(principal=principal, key=key, request=print_)
    if earlier is not None:
        yield Once(earlier=earlier.headers.get("Location", ""))
        return
    attempt = Once()
    try:
        yield attempt
    except BaseException:
        release(principal=principal, key=key)
        raise
    if attempt.leads_to:
        answer = Answer(303, {"Location": attempt.leads_to}, b"")
        settle(principal=principal, key=key, answer=answer)
    else:
        release(principal=principal, key=key)


__all__ = ["FIELD", "Once", "new_token", "once"]
