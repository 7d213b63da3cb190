"""How does one app tell the others, so that neither a crash nor a lost wake-up loses the message?

An event is a row, written in the transaction that makes it true. Whoever drains runs the handlers;
a wake-up only makes it soon, the periodic sweep makes it certain. A handler may run more than once and
late: it looks at what is true now, and takes the event as a reason to look.
"""

from __future__ import annotations

from foundation.outbox.delivery import Drained, drain, prune, take_over
from foundation.outbox.registry import on_wake, subscribe
from foundation.outbox.services import emit

__all__ = ["Drained", "drain", "emit", "on_wake", "prune", "subscribe", "take_over"]
