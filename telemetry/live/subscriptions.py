"""How far is one listener with one channel, and how much may it be sent?

Nothing is queued for a listener. What it was last sent is a number; when it may be sent something, that
is the way from there to now, in one frame. So whoever is slow gets fewer frames, not older ones.
"""

from __future__ import annotations

from collections import deque

from telemetry.live.channels import Channel, EventChannel

MOST_UNANSWERED = 4
"""Frames sent and not acknowledged, beyond which nothing is sent until one is."""
SLOWED_AFTER = (10.0, 20.0)
"""Seconds without an acknowledgement after which the rate is halved, and put to its least."""
SLOWED = (0.5, 0.2)
GIVEN_UP_AFTER = 30.0
"""Seconds without an acknowledgement after which the connection is closed."""
LEAST_HZ, MOST_HZ = 0.2, 4.0


class Subscription:
    """One ``sub`` of one connection."""

    __slots__ = ("_asked", "_due", "_unanswered", "channel", "id", "seq")

    def __init__(self, number: int, channel: Channel, hz: float, seq: int) -> None:
        """``seq``: what the listener holds."""
        self.id = number
        self.channel = channel
        self.seq = seq
        self._asked = hz
        self._due = 0.0
        self._unanswered: deque[tuple[int, float]] = deque()

    def rate(self, hz: float) -> None:
        self._asked = hz
        self._due = 0.0

    def hz(self, now: float) -> float:
        """The rate asked for, or a lower one while acknowledgements are late."""
        slowed = self._asked
        for after, rate in zip(SLOWED_AFTER, SLOWED, strict=True):
            if self.late(now) >= after:
                slowed = min(slowed, rate)
        return slowed

    def late(self, now: float) -> float:
        """Seconds that the oldest unacknowledged frame has been out."""
        return now - self._unanswered[0][1] if self._unanswered else 0.0

    def frames(self, now: float) -> list[bytes]:
        """What to send now, often nothing. The listener counts as having it from here on."""
        channel = self.channel
        if self.seq == channel.seq or len(self._unanswered) >= MOST_UNANSWERED:
            return []
        if not isinstance(channel, EventChannel):
            if now < self._due:
                return []
            self._due = now + 1 / self.hz(now) - 0.25  # ticks are not exact: a little early is on time
        frames = channel.catch_up(self.id, self.seq)
        self.sent(now)
        return frames

    def sent(self, now: float) -> None:
        """It holds all that the channel does."""
        self.seq = self.channel.seq
        self._unanswered.append((self.seq, now))

    def acknowledged(self, seq: int) -> None:
        while self._unanswered and self._unanswered[0][0] <= seq:
            self._unanswered.popleft()
