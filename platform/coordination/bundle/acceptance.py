"""What does a gateway do with what it is sent? One pure step: state and event in, state and effects out.

What serves changes only on ``Activated``, which answers an ``Activate`` that was only asked for after
verification, self-test and persistence. Every refusal leaves it alone. So whatever arrives, in whatever
order, the gateway serves the last thing that was wholly accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from coordination.bundle import directory as directories
from coordination.bundle import pointer as pointers
from coordination.bundle import root as roots
from coordination.bundle.candidates import Candidate, Verify, verify_parts
from coordination.bundle.pointer import Pointer, open_pointer, require_after
from coordination.bundle.refusals import Refused, RefusedError
from coordination.bundle.root import Root, next_root
from coordination.bundle.state_folder import FILES, require_addressed
from coordination.bundle.subscription import (
    SKEW_REPORTED,
    Activate,
    Activated,
    Applied,
    Attempt,
    BundleReceived,
    DirectoryReceived,
    Effect,
    Event,
    FetchBundle,
    FetchDirectory,
    FetchFailed,
    Frozen,
    Persist,
    Persisted,
    PersistFailed,
    PointerReceived,
    RootReceived,
    SelfTest,
    SelfTested,
    Started,
    Subscriber,
    Ticked,
    Verified,
)
from coordination.bundle.verification import (
    ENVELOPE_FILE,
    TAR_FILE,
    Accepted,
    Expectations,
    accept,
    self_test_refusal,
)
from coordination.program.canonical import sha256_digest
from coordination.program.records import Micros

__all__ = ["Outcome", "accept", "step", "subscribe", "verify_parts"]

FIRST_RETRY: Micros = 1_000_000
LAST_RETRY: Micros = 60_000_000
"""A refusal that may pass is tried again after 1 s, 2 s, 4 s, ... at most 60 s."""

FROZEN = Refused("releases_frozen", "releases are frozen here: the bundle that serves is kept")

Outcome = tuple[Subscriber, tuple[Effect, ...]]


def subscribe(
    root: Root, root_envelope: bytes, *, environment: str, ring: str, features: frozenset[str] = frozenset()
) -> Subscriber:
    """A gateway that serves nothing yet. ``root`` must be what ``open_root`` made of the envelope."""
    return Subscriber(
        environment=environment, ring=ring, root=root, root_envelope=root_envelope, features=features
    )


def step(subscriber: Subscriber, event: Event) -> Outcome:
    """The only way from one state to the next. Never raises for what an event carries from outside."""
    match event:
        case Ticked(mono):
            return _ticked(_at(subscriber, mono))
        case Started():
            return _started(_at(subscriber, event.mono), event)
        case RootReceived(envelope):
            return _root_received(subscriber, envelope)
        case PointerReceived():
            return _pointer_received(_at(subscriber, event.mono), event)
        case Persisted(number, digests):
            return _persisted(replace(subscriber, persisted=digests), number)
        case PersistFailed():
            return _persist_failed(subscriber, event)
        case Frozen(frozen):
            return _frozen(replace(subscriber, frozen=frozen))
        case _:
            attempt = subscriber.attempt
            if attempt is None or attempt.number != event.number:
                return subscriber, ()  # an answer to an attempt that was given up
            return _answered(subscriber, attempt, event)


def _at(subscriber: Subscriber, mono: Micros) -> Subscriber:
    return replace(subscriber, clock=max(subscriber.clock, mono))


def _ticked(subscriber: Subscriber) -> Outcome:
    """Notice age; try again what was refused for a reason that may have passed."""
    due = subscriber.state == "rejected" and subscriber.clock >= subscriber.retry_at
    if due and subscriber.desired is not None:
        return _follow(subscriber, subscriber.desired, subscriber.envelope)
    return _rest(subscriber), ()


def _rest(subscriber: Subscriber) -> Subscriber:
    """``active`` and ``stale`` follow the age of the last contact; the other states are about an attempt."""
    if subscriber.state not in ("active", "stale"):
        return subscriber
    return replace(subscriber, state="stale" if subscriber.is_stale else "active")


# A pointer arrives.


def _started(subscriber: Subscriber, event: Started) -> Outcome:
    """Follow the state folder as if it had been fetched, except that an expired pointer is stale."""
    if not event.files:
        return subscriber, ()
    missing = [name for name in FILES if name not in event.files]
    if missing:
        return _failed(subscriber, Refused("missing_file", "not in the state folder", file=missing[0])), ()
    try:
        pointer = _open(subscriber, event.files[pointers.FILE])
    except RefusedError as error:
        return _failed(subscriber, error.refused), ()
    wall = max(event.wall, pointer.issued_at)
    subscriber = replace(
        subscriber,
        desired=pointer,
        envelope=event.files[pointers.FILE],
        fresh_until=subscriber.clock + max(0, pointer.expires_at - wall),
    )
    files = event.files
    attempt = Attempt(
        number=subscriber.attempts + 1,
        pointer=pointer,
        envelope=files[pointers.FILE],
        tar=files[TAR_FILE],
        tar_envelope=files[ENVELOPE_FILE],
        directory=files[directories.FILE],
        on_disk=True,
    )
    return _advance(replace(subscriber, attempts=attempt.number, attempted=pointer), attempt)


def _pointer_received(subscriber: Subscriber, event: PointerReceived) -> Outcome:
    try:
        pointer = _open(subscriber, event.envelope)
        require_after(pointer, subscriber.desired)
    except RefusedError as error:
        if subscriber.attempt is None:
            return _failed(subscriber, error.refused), ()
        # The attempt under way is none of a bad pointer's business.
        return replace(subscriber, error=error.refused), ()
    if pointer != subscriber.desired:
        subscriber = _contact(subscriber, pointer, event)
    return _follow(subscriber, pointer, event.envelope)


def _open(subscriber: Subscriber, envelope: bytes) -> Pointer:
    root = subscriber.root
    pointer = open_pointer(envelope, root.trusted("pointer"), threshold=root.threshold("pointer"))
    require_addressed(
        pointer,
        environment=subscriber.environment,
        ring=subscriber.ring,
        features=subscriber.features,
    )
    return pointer


def _contact(subscriber: Subscriber, pointer: Pointer, event: PointerReceived) -> Subscriber:
    """Age runs on the monotonic clock from here, unless the pointer had already expired when it came."""
    behind = pointer.issued_at - event.wall
    lifetime = 0 if event.wall >= pointer.expires_at else pointer.lifetime
    return replace(
        subscriber,
        desired=pointer,
        envelope=event.envelope,
        fresh_until=subscriber.clock + lifetime,
        skew=behind if behind > SKEW_REPORTED else 0,
    )


def _follow(subscriber: Subscriber, pointer: Pointer, envelope: bytes) -> Outcome:
    """Begin what ``pointer`` asks for, or find that it is done, under way, or known to be no good."""
    pair = (pointer.bundle, pointer.directory)
    attempt, applied = subscriber.attempt, subscriber.applied
    if attempt is not None and subscriber.state == "activating":
        return replace(subscriber, waiting=(pointer, envelope)), ()
    if attempt is not None and attempt.pair == pair:
        on_disk = attempt.on_disk and attempt.pointer == pointer
        renewed = replace(attempt, pointer=pointer, envelope=envelope, on_disk=on_disk)
        return replace(subscriber, attempt=renewed, attempted=pointer), ()
    if applied is not None and applied.candidate.pair == pair:
        return _renew(subscriber, applied, pointer, envelope)
    if subscriber.barred is not None and subscriber.barred[0] == pair:
        refused = subscriber.barred[1]
        return _failed(replace(subscriber, attempted=pointer, attempt=None), refused), ()
    if _is_held(subscriber, pointer):
        return _failed(replace(subscriber, attempted=pointer, attempt=None), FROZEN), ()
    number = subscriber.attempts + 1
    begun = Attempt(number=number, pointer=pointer, envelope=envelope)
    subscriber = replace(
        subscriber, state="fetching", attempt=begun, attempts=number, attempted=pointer, error=None
    )
    wanted: list[Effect] = []
    if applied is None or applied.candidate.bundle.digest != pointer.bundle:
        wanted.append(FetchBundle(number, pointer.bundle))
    if applied is None or applied.candidate.directory_digest != pointer.directory:
        wanted.append(FetchDirectory(number, pointer.directory))
    return subscriber, tuple(wanted)


def _is_held(subscriber: Subscriber, pointer: Pointer) -> bool:
    """Would ``pointer`` bring another bundle while releases are frozen? A way back is open at any time."""
    applied = subscriber.applied
    other = applied is not None and applied.candidate.bundle.digest != pointer.bundle
    return subscriber.frozen and other and pointer.rollback_of is None


def _frozen(subscriber: Subscriber) -> Outcome:
    attempt = subscriber.attempt
    if attempt is not None and subscriber.state != "activating" and _is_held(subscriber, attempt.pointer):
        return _give_up(subscriber, attempt, FROZEN)
    held = subscriber.error is FROZEN and subscriber.desired is not None
    if held and not subscriber.frozen and subscriber.desired is not None:
        return _follow(subscriber, subscriber.desired, subscriber.envelope)
    return subscriber, ()


def _renew(subscriber: Subscriber, applied: Applied, pointer: Pointer, envelope: bytes) -> Outcome:
    """A heartbeat, or a way back to what serves: only the pointer on disk changes."""
    if applied.pointer == pointer:
        if subscriber.attempt is not None or subscriber.state == "rejected":
            subscriber = replace(subscriber, attempt=None, state="active", error=None)
        return _rest(subscriber), ()
    subscriber = replace(
        subscriber,
        state="active",
        attempt=None,
        attempts=subscriber.attempts + 1,
        attempted=pointer,
        applied=replace(applied, pointer=pointer),
        error=None,
    )
    persist = _persist(subscriber, subscriber.attempts, envelope, applied.candidate, {})
    return _rest(subscriber), (persist,)


def _root_received(subscriber: Subscriber, envelope: bytes) -> Outcome:
    try:
        root = next_root(subscriber.root, envelope)
    except RefusedError as error:
        return replace(subscriber, error=error.refused), ()
    return replace(subscriber, root=root, root_envelope=envelope), ()


# An attempt goes on.


def _answered(subscriber: Subscriber, attempt: Attempt, event: Event) -> Outcome:
    match event:
        case BundleReceived(_, tar, envelope) if subscriber.state == "fetching":
            return _advance(subscriber, replace(attempt, tar=tar, tar_envelope=envelope))
        case DirectoryReceived(_, data) if subscriber.state == "fetching":
            return _advance(subscriber, replace(attempt, directory=data))
        case FetchFailed(_, message) if subscriber.state == "fetching":
            return _give_up(subscriber, attempt, Refused("fetch_failed", message))
        case Verified(_, result) if subscriber.state == "verifying":
            if isinstance(result, Refused):
                return _give_up(subscriber, attempt, result)
            return _verified(subscriber, replace(attempt, candidate=result), result)
        case SelfTested(_, failures) if subscriber.state == "testing" and attempt.candidate is not None:
            refused = self_test_refusal(failures)
            if refused is not None:
                return _give_up(subscriber, attempt, refused)
            return _activate(subscriber, attempt, attempt.candidate)
        case Activated() if subscriber.state == "activating" and attempt.candidate is not None:
            return _activated(subscriber, attempt, attempt.candidate)
        case _:
            return subscriber, ()


def _advance(subscriber: Subscriber, attempt: Attempt) -> Outcome:
    """Verify, once everything that does not serve already has come."""
    subscriber = replace(subscriber, attempt=attempt)
    serving = subscriber.applied.candidate if subscriber.applied else None
    bundle: tuple[bytes, bytes] | Accepted
    if attempt.tar is not None and attempt.tar_envelope is not None:
        bundle = (attempt.tar, attempt.tar_envelope)
    elif serving is not None and serving.bundle.digest == attempt.pointer.bundle:
        bundle = serving.bundle
    else:
        return subscriber, ()
    if attempt.directory is not None:
        directory: bytes | directories.Directory = attempt.directory
    elif serving is not None and serving.directory_digest == attempt.pointer.directory:
        directory = serving.directory
    else:
        return subscriber, ()
    root = subscriber.root
    work = Verify(
        number=attempt.number,
        pointer=attempt.pointer,
        bundle=bundle,
        directory=directory,
        trusted=root.trusted("bundle"),
        expectations=Expectations(
            environment=subscriber.environment,
            digest=attempt.pointer.bundle,
            threshold=root.threshold("bundle"),
            features=subscriber.features,
        ),
        serving_directory=(serving.directory.serial, serving.directory_digest) if serving else None,
    )
    return replace(subscriber, state="verifying"), (work,)


def _verified(subscriber: Subscriber, attempt: Attempt, candidate: Candidate) -> Outcome:
    subscriber = replace(subscriber, attempt=attempt, state="testing")
    applied = subscriber.applied
    if applied is not None and applied.candidate.bundle is candidate.bundle:
        return _activate(subscriber, attempt, candidate)  # the program that serves: tested when it came
    return subscriber, (SelfTest(attempt.number, candidate.bundle.records, candidate.bundle.vectors),)


def _activate(subscriber: Subscriber, attempt: Attempt, candidate: Candidate) -> Outcome:
    """Persist first: what serves must survive a restart."""
    subscriber = replace(subscriber, state="activating")
    if attempt.on_disk:
        return _persisted(replace(subscriber, persisted=_digests(subscriber, candidate.pair)), attempt.number)
    bundle = {}
    if attempt.tar is not None and attempt.tar_envelope is not None:
        bundle = {TAR_FILE: attempt.tar, ENVELOPE_FILE: attempt.tar_envelope}
    return subscriber, (_persist(subscriber, attempt.number, attempt.envelope, candidate, bundle),)


def _persist(
    subscriber: Subscriber,
    number: int,
    pointer: bytes,
    candidate: Candidate,
    bundle: Mapping[str, bytes],
) -> Persist:
    """The pointer always, the rest where the folder holds another."""
    before, after = subscriber.persisted or {}, _digests(subscriber, candidate.pair)
    files = {pointers.FILE: pointer, **bundle}
    if before.get(roots.FILE) != after[roots.FILE]:
        files[roots.FILE] = subscriber.root_envelope
    if before.get(directories.FILE) != after[directories.FILE]:
        files[directories.FILE] = candidate.directory.to_json()
    return Persist(number, files, after)


def _digests(subscriber: Subscriber, pair: tuple[str, str]) -> dict[str, str]:
    bundle, directory = pair
    return {
        roots.FILE: sha256_digest(subscriber.root_envelope),
        TAR_FILE: bundle,
        directories.FILE: directory,
    }


def _persisted(subscriber: Subscriber, number: int) -> Outcome:
    attempt = subscriber.attempt
    if attempt is None or attempt.number != number or attempt.candidate is None:
        return subscriber, ()  # a heartbeat's
    return subscriber, (Activate(number, attempt.candidate),)


def _persist_failed(subscriber: Subscriber, event: PersistFailed) -> Outcome:
    """A full disk stops a new bundle, but neither a heartbeat nor a directory: that may revoke a key."""
    refused = Refused("persist_failed", event.message)
    attempt, applied = subscriber.attempt, subscriber.applied
    if attempt is None or attempt.number != event.number or attempt.candidate is None:
        return replace(subscriber, error=refused), ()
    if applied is None or applied.candidate.bundle.digest != attempt.candidate.bundle.digest:
        return _give_up(subscriber, attempt, refused)
    subscriber = replace(subscriber, attempt=replace(attempt, unpersisted=refused))
    return subscriber, (Activate(attempt.number, attempt.candidate),)


def _activated(subscriber: Subscriber, attempt: Attempt, candidate: Candidate) -> Outcome:
    subscriber = _rest(
        replace(
            subscriber,
            state="active",
            applied=Applied(attempt.pointer, candidate),
            attempt=None,
            error=attempt.unpersisted,
            barred=None,
            failures=0,
        )
    )
    return _resume(subscriber)


def _give_up(subscriber: Subscriber, attempt: Attempt, refused: Refused) -> Outcome:
    barred = subscriber.barred if refused.retryable else (attempt.pair, refused)
    return _resume(_failed(replace(subscriber, attempt=None, barred=barred), refused))


def _failed(subscriber: Subscriber, refused: Refused) -> Subscriber:
    """Rejected, to be looked at again later. What serves is untouched."""
    wait = min(FIRST_RETRY << min(subscriber.failures, 10), LAST_RETRY)
    return replace(
        subscriber,
        state="rejected",
        error=refused,
        failures=subscriber.failures + 1,
        retry_at=subscriber.clock + wait,
    )


def _resume(subscriber: Subscriber) -> Outcome:
    """Follow the pointer that had to wait for the end of an activation."""
    if subscriber.waiting is None:
        return subscriber, ()
    pointer, envelope = subscriber.waiting
    return _follow(replace(subscriber, waiting=None), pointer, envelope)
