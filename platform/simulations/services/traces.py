"""How does traffic come in, and go? Read through before it is kept; named by its content on disk."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from coordination.traces import Inspection
from foundation import audit
from foundation.actors import Actor, name_of, person_behind
from foundation.http import Conflict, FieldError, Invalid, NotFound, Refused
from foundation.offload import OFFLOAD
from policies.services.environments import require_environment
from simulations import selectors, store
from simulations.inspection import look_at
from simulations.models import OPEN, Simulation, Trace
from simulations.permissions import require_simulator

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,119}\Z")
MEGABYTE = 1024 * 1024


def upload_trace(*, actor: Actor, environment: str, name: str, chunks: Iterable[bytes]) -> tuple[Trace, bool]:
    """Keep what ``chunks`` hold, and whether it is new: the same bytes again are the trace that is there.

    Raises ``Invalid``: ``bad_name``, ``unreadable_trace`` with the faults by line; ``Refused``:
    ``trace_too_large`` (413), ``no_room`` (507).
    """
    require_simulator(actor, environment)
    require_environment(environment)
    _require_name(name)
    most = settings.HEADWAY_TRACE_MB * MEGABYTE
    if selectors.bytes_kept() > settings.HEADWAY_TRACES_MB * MEGABYTE - most:
        raise Refused(
            "no_room",
            f"The traces kept would be more than {settings.HEADWAY_TRACES_MB} MB: remove some first.",
            status=507,
        )
    try:
        incoming = store.receive(chunks, most)
    except store.TooLarge:
        raise Refused(
            "trace_too_large",
            f"A trace has at most {settings.HEADWAY_TRACE_MB} MB: send a part of it.",
            status=413,
        ) from None
    try:
        found = OFFLOAD.run(look_at, str(incoming))
        if not found.ok:
            raise _unreadable(name, found)
        store.keep(incoming, found.digest, found.format)
    finally:
        incoming.unlink(missing_ok=True)
    return _kept(actor, environment, name, Trace.Source.UPLOADED, found)


def adopt_example(*, actor: Actor, environment: str, name: str) -> Trace:
    """The trace of an example, copied where the others are."""
    require_simulator(actor, environment)
    example = selectors.example(name)
    if example is None:
        raise NotFound("not_found", f"There is no example `{name[:80]}`.", kind="Example", name=name[:80])
    incoming = store.receive([example.path.read_bytes()], settings.HEADWAY_TRACE_MB * MEGABYTE)
    found = look_at(str(incoming))
    store.keep(incoming, found.digest, found.format)
    return _kept(actor, environment, example.name, Trace.Source.EXAMPLE, found)[0]


@transaction.atomic
def remove_trace(*, actor: Actor, trace: Trace) -> None:
    """Forget it; its file goes with the last environment's. Reports stay, and say its digest.

    Raises ``Conflict`` (``trace_in_use``) while a simulation waits for it or reads it.
    """
    require_simulator(actor, trace.environment)
    using = Simulation.objects.filter(scenario__trace__digest=trace.digest, state__in=OPEN).first()
    if using is not None:
        raise Conflict(
            "trace_in_use",
            f"Simulation {using.pk} reads it: cancel that, or wait.",
            kind="Trace",
            name=str(trace.pk),
        )
    gone = Trace.objects.filter(pk=trace.pk, removed_at=None).update(removed_at=timezone.now())
    if not gone:
        return
    digest, format_ = trace.digest, trace.format
    if not Trace.objects.filter(digest=digest, removed_at=None).exists():
        transaction.on_commit(lambda: store.discard(digest, format_))
    _record(actor, "simulations.trace_removed", trace)


@transaction.atomic
def _kept(
    actor: Actor, environment: str, name: str, source: Trace.Source, found: Inspection
) -> tuple[Trace, bool]:
    trace, made = Trace.objects.get_or_create(
        environment=environment,
        digest=found.digest,
        removed_at=None,
        defaults={
            "name": name,
            "source": source,
            "format": found.format,
            "size": found.size,
            "requests": found.requests,
            "span_us": found.span_us,
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
            "author_id": person_behind(actor),
            "author_name": name_of(actor),
            "created_at": timezone.now(),
        },
    )
    if made:
        _record(actor, "simulations.trace_kept", trace)
    return trace, made


def _record(actor: Actor, action: str, trace: Trace) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_kind="Trace",
        object_name=str(trace.pk),
        environment=trace.environment,
        details={"name": trace.name, "digest": trace.digest, "size": trace.size},
    )


def _require_name(name: str) -> None:
    """What a trace is called is shown, and is nobody's path."""
    if not NAME.match(name):
        says = "letters, digits, spaces and . _ + -, at most 120, beginning with a letter or digit"
        raise Invalid(
            "bad_name", f"A trace's name is {says}.", errors=[FieldError("/name", "bad_name", says)]
        )


def _unreadable(name: str, found: Inspection) -> Invalid:
    errors = [
        FieldError(f"/lines/{fault.line}" if fault.line else "", "bad_record", fault.message)
        for fault in found.faults
    ]
    count = len(errors) + found.more_faults
    first = found.faults[0]
    where = f"line {first.line}: " if first.line else ""
    more = f", and {count - 1} more" if count > 1 else ""
    return Invalid(
        "unreadable_trace",
        f"`{name}` will not do as a trace: {where}{first.message}{more}.",
        errors=errors,
        extra={"faults": count},
    )
