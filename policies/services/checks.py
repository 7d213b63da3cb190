"""What do others find out about a proposal? Simulations, pipelines and targets report; reviewers read.

A finding is about the very operations it looked at: it is bound to their digest, and any edit leaves it
behind.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from foundation import audit
from foundation.actors import Actor, name_of
from foundation.http import FieldError, Invalid
from policies.models import ChangeSet, Check
from policies.permissions import require_editor

LONGEST_SUMMARY = 1000


@transaction.atomic
def report_check(
    *,
    actor: Actor,
    change_set: ChangeSet,
    name: str,
    state: str,
    head_digest: str = "",
    url: str = "",
    summary: str = "",
) -> Check:
    """Say how something named stands for these operations, in place of what it said of them before.

    ``head_digest`` is what was looked at; the change set's own when it is left out. Raises ``Invalid``
    (``bad_check``).
    """
    require_editor(actor, change_set.environment)
    if (url and not url.startswith(("https://", "http://", "/"))) or url.startswith("//"):
        error = FieldError("/url", "bad_check", "https://..., or a path of this console")
        raise Invalid("bad_check", "That is not where a check leads.", errors=[error])
    check, _ = Check.objects.update_or_create(
        change_set=change_set,
        head_digest=head_digest or change_set.head_digest,
        name=name,
        defaults={
            "state": state,
            "url": url,
            "summary": summary[:LONGEST_SUMMARY],
            "reporter_name": name_of(actor),
            "at": timezone.now(),
        },
    )
    audit.record(
        actor=actor,
        action="policies.check_reported",
        object_kind="ChangeSet",
        object_name=str(change_set.pk),
        environment=change_set.environment,
        details={"head_digest": check.head_digest, "check": name, "state": state},
    )
    return check
