"""Where do sessions live, and how much context lives at each replica? (R20, R21)

A session (or run) lives where its last request went, until it has been silent for five minutes. What is in
flight at one instant says little of a replica that many conversations will come back to; the sum of their
contexts says what they will want of its memory and of its time. How much that weighs depends on how likely
they are to come back: agents of forty steps do, questions that are asked once do not.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from coordination.program.records import MILLION, Micros, Ppm

if TYPE_CHECKING:
    from coordination.scheduling.replicas import Replica

LIFE: Final[Micros] = 300 * MILLION
MOST: Final = 65_536
"""Sessions remembered of one pool; beyond it the one that has been silent longest is forgotten."""
COUNTED: Final = 1024
"""Requests after which what was counted before weighs half."""
RETURNS: Final = 4
"""A session that settles weighs where others live by the chance that it comes back so many times."""


class Sessions:
    """Of one pool, in the order of their last requests."""

    __slots__ = ("_asked", "_back", "_lives", "_look_at")

    def __init__(self) -> None:
        self._asked = 1
        self._back = 0
        self._look_at: Micros = 0
        """Until then nobody has been silent for too long."""
        self._lives: OrderedDict[str, tuple[Replica, int, Micros]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._lives)

    def home(self, session: str) -> tuple[Replica, Micros] | None:
        """Where it lives, and when its last request went there."""
        found = self._lives.get(session)
        return None if found is None or found[0].retired else (found[0], found[2])

    def sent(self, session: str, replica: Replica, tokens: int, now: Micros) -> None:
        """A request of the session, a prompt of ``tokens``, went to a replica."""
        lives = self._lives
        before = lives.pop(session, None)
        self._asked += 1
        if before is not None:
            before[0].resident -= before[1]
            self._back += 1
        if self._asked > COUNTED:
            self._asked //= 2
            self._back //= 2
        lives[session] = (replica, tokens, now)
        replica.resident += tokens
        if now > self._look_at or len(lives) > MOST:
            self.forget(now)

    def weight(self) -> Ppm:
        """The chance that a session comes back ``RETURNS`` times: one request after the other."""
        return MILLION * self._back**RETURNS // self._asked**RETURNS

    def forget(self, now: Micros) -> None:
        """Let go of who has been silent for too long, a few at a time."""
        lives = self._lives
        for _ in range(4):
            session = next(iter(lives), None)
            if session is None:
                return
            replica, tokens, last = lives[session]
            if now - last <= LIFE and len(lives) <= MOST:
                self._look_at = last + LIFE
                return
            replica.resident -= tokens
            del lives[session]
