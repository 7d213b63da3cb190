"""Which overrides are in force now? A gateway's memory of them, as a value.

They come in two ways: in the newest pointer, all at once, and by hand, one at a time. Of one id the statement
issued last counts. What came by hand is remembered until it would have ended, also when a later statement
ended it sooner: so nobody can bring it back by giving the first one again. What widened is remembered for
a day longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from coordination.bundle.overrides import EARLY, FILE, MAX_OVERRIDES, REST, WIDENING, Override
from coordination.bundle.refusals import Code, Refused
from coordination.program.records import MILLION, Micros

MAX_WIDENED: Final = 256
"""Limits raised within a day, however often a control plane changes its mind."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """The last statement of one id that was given by hand."""

    override: Override
    remembered_until: Micros
    """The latest end that any of its statements named."""


@dataclass(frozen=True, slots=True)
class Widened:
    """What was raised, and when that was to end: it may not come back for a day after."""

    subject: str
    id: str
    expires_at: Micros


@dataclass(frozen=True, slots=True)
class Register:
    delivered: tuple[Override, ...] = ()
    """Of the newest pointer."""
    order: tuple[int, int] = (0, 0)
    """That pointer's."""
    by_hand: tuple[ByHand, ...] = ()
    widened: tuple[Widened, ...] = ()

    def in_force(self, now: Micros) -> tuple[Override, ...]:
        """Those that count at ``now``, by kind, subject and id."""
        newest = {one.id: one for one in self.delivered}
        for held in self.by_hand:
            known = newest.get(held.override.id)
            if known is None or held.override.issued_at > known.issued_at:
                newest[held.override.id] = held.override
        found = [one for one in newest.values() if now < one.expires_at]
        return tuple(sorted(found, key=lambda one: (one.kind, one.subject, one.id)))

    def next_change(self, now: Micros) -> Micros | None:
        """The first instant after ``now`` at which one ends by itself."""
        return min((one.expires_at for one in self.in_force(now)), default=None)

    def remembering(self, override: Override, until: Micros) -> Register:
        """With one that was taken before a restart."""
        return replace(self, by_hand=(*self.by_hand, ByHand(override, until)))

    def resting(self, widened: Iterable[Widened], now: Micros) -> Register:
        """With what was raised before a restart, as far as it still rests."""
        return _forget(replace(self, widened=tuple(widened)), now)


def deliver(
    register: Register, overrides: Iterable[Override], order: tuple[int, int], now: Micros
) -> tuple[Register, tuple[tuple[Override, Refused], ...]]:
    """Take over what the newest pointer carries, in place of what the one before did. With those that may
    not be: a control plane that widens again too soon is not obeyed. An older pointer changes nothing."""
    if order < register.order:
        return register, ()
    kept: list[Override] = []
    refused: list[tuple[Override, Refused]] = []
    register = _forget(register, now)
    for override in overrides:
        wrong = _too_soon(register, override)
        if wrong is not None:
            refused.append((override, wrong))
            continue
        register = _remember_widening(register, override)
        kept.append(override)
    return replace(register, delivered=tuple(kept), order=order), tuple(refused)


def take(register: Register, override: Override, now: Micros) -> Register | Refused:
    """Take one that was signed by hand, or say why not. Its signatures and bounds were verified before."""
    if override.issued_at > now + EARLY:
        ahead = (override.issued_at - now) // MILLION
        return _refused("override_early", f"issued {ahead} s from now: whose clock is wrong?", "issued_at")
    held = next((one for one in register.by_hand if one.override.id == override.id), None)
    register = _forget(register, now)
    known = held.override if held is not None else _delivered(register, override.id)
    if known is None and now >= override.expires_at:
        return _refused("override_expired", "it has ended already", "expires_at")
    if known is not None:
        wrong = _does_not_follow(override, known)
        if wrong is not None:
            return wrong
    wrong = _too_soon(register, override)
    if wrong is not None:
        return wrong
    until = max(override.expires_at, known.expires_at if known is not None else 0)
    until = max(until, held.remembered_until if held is not None else 0)
    others = tuple(one for one in register.by_hand if one.override.id != override.id)
    made = replace(register, by_hand=(*others, ByHand(override, until)))
    if len(others) >= MAX_OVERRIDES or len(made.in_force(now)) > 2 * MAX_OVERRIDES:
        return _refused("too_many_overrides", f"{MAX_OVERRIDES} by hand is all there may be", "")
    return _remember_widening(made, override)


def _does_not_follow(override: Override, known: Override) -> Refused | None:
    """A statement of an id that is known may only end it sooner, and only if it was issued later."""
    if override.issued_at <= known.issued_at:
        return _refused("override_replayed", "a later statement of this id is known", "issued_at")
    if (override.kind, override.subject, override.amount_ppm) != (
        known.kind,
        known.subject,
        known.amount_ppm,
    ):
        return _refused("override_replayed", "this id stands for another measure", "id")
    if override.expires_at > known.expires_at:
        return _refused("override_replayed", "a measure is not made longer under its own id", "expires_at")
    return None


def _too_soon(register: Register, override: Override) -> Refused | None:
    if override.kind not in WIDENING or override.ended:
        return None
    if len(register.widened) >= MAX_WIDENED:
        return _refused("too_many_overrides", f"{MAX_WIDENED} limits were raised within a day", "subject")
    for one in register.widened:
        same = one.subject == override.subject and one.id != override.id
        if same and override.issued_at < one.expires_at + REST:
            return _refused(
                "override_renewed",
                f"{override.subject} was raised by {one.id}; not again within a day of its end",
                "issued_at",
            )
    return None


def _remember_widening(register: Register, override: Override) -> Register:
    if override.kind not in WIDENING or override.ended:
        return register
    if any(one.id == override.id for one in register.widened):
        return register
    made = Widened(override.subject, override.id, override.expires_at)
    return replace(register, widened=(*register.widened, made))


def _forget(register: Register, now: Micros) -> Register:
    """What can no longer be replayed, and what has rested long enough."""
    return replace(
        register,
        by_hand=tuple(one for one in register.by_hand if now < one.remembered_until),
        widened=tuple(one for one in register.widened if now < one.expires_at + REST),
    )


def _delivered(register: Register, override_id: str) -> Override | None:
    return next((one for one in register.delivered if one.id == override_id), None)


def _refused(code: Code, message: str, field_name: str) -> Refused:
    return Refused(code, message, FILE, f"/override/{field_name}" if field_name else "")
