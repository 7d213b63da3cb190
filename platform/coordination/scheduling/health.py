"""Which replicas may be chosen? Outlier ejection with half-open probes. (R21)

Failures in a row eject a replica; after a while one request may try it again (half-open); its first
byte heals the replica, its failure ejects it for twice as long. A caller may also set a replica aside
(cordon) until told otherwise. Requests go to an unhealthy replica only when there is no healthy one.
"""

from __future__ import annotations

from typing import Final, Literal

from coordination.program.records import MILLION, Micros

FailureReason = Literal["connect", "status_503", "timeout", "reset"]
HealthState = Literal["healthy", "ejected", "probing", "cordoned"]

WEIGHT: Final[dict[str, int]] = {"connect": 2, "unreachable": 2, "status_503": 1, "timeout": 1, "reset": 1}
EJECT_AT: Final = 3
"""Two refused connections in a row, or three softer failures."""
FIRST_EJECTION: Final[Micros] = 2 * MILLION
LONGEST_EJECTION: Final[Micros] = 60 * MILLION
OUT_OF_REACH: Final = frozenset({"connect", "unreachable"})


class Health:
    """One replica's record. ``usable(now)`` is asked only while the state is not healthy."""

    __slots__ = ("ejections", "out_of_reach", "score", "state", "until")

    def __init__(self) -> None:
        self.state: HealthState = "healthy"
        self.score = 0
        self.ejections = 0
        self.out_of_reach = False
        """Whether it was ejected because nobody was there, and not for how it answered."""
        self.until: Micros = 0

    def usable(self, now: Micros) -> bool:
        """Healthy, or due for its one probe."""
        return self.state == "healthy" or (self.state == "ejected" and now >= self.until)

    def sent(self, now: Micros) -> None:
        """A request goes to it: if it was ejected and due, this is the probe."""
        if self.state == "ejected" and now >= self.until:
            self.state = "probing"

    def succeeded(self) -> None:
        self.score = 0
        if self.state in ("probing", "ejected"):
            self.state = "healthy"
            self.ejections = 0

    def failed(self, reason: FailureReason | Literal["unreachable"], now: Micros) -> None:
        self.score += WEIGHT[reason]
        if self.state == "probing" or (self.state == "healthy" and self.score >= EJECT_AT):
            self.eject(now, out_of_reach=reason in OUT_OF_REACH)

    def eject(self, now: Micros, *, out_of_reach: bool = False) -> None:
        self.state = "ejected"
        self.out_of_reach = out_of_reach
        self.until = now + min(LONGEST_EJECTION, FIRST_EJECTION << min(self.ejections, 5))
        self.ejections += 1
        self.score = 0

    def abandoned(self, now: Micros) -> None:
        """The probe ended without a verdict (the client left): the next request may probe."""
        if self.state == "probing":
            self.state = "ejected"
            self.until = now

    def seen(self, now: Micros) -> None:
        """It answers when asked how it is: one that was out of reach may be probed at once. One that failed
        the requests it was sent may answer that question all the same, and waits for its time."""
        if self.state == "ejected" and self.out_of_reach:
            self.until = min(self.until, now)

    def cordon(self) -> None:
        self.state = "cordoned"

    def uncordon(self) -> None:
        self.state = "healthy"
        self.score = 0
        self.ejections = 0
