"""Who is told that rights changed or something happened? The hubs, over the relay.

Callers are request threads, commands and workers, with or without a hub in their process: ``tell`` never
fails them. Without one, and without Redis, a hub finds out by itself within a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from telemetry.live.messages import Message
from telemetry.live.relay import push

log = logging.getLogger(__name__)

_listeners: list[Callable[[Message], None]] = []


def listen(listener: Callable[[Message], None]) -> None:
    """``listener`` is called from any thread, and must return at once."""
    if listener not in _listeners:
        _listeners.append(listener)


def forget(listener: Callable[[Message], None]) -> None:
    if listener in _listeners:
        _listeners.remove(listener)


def tell(message: Message) -> None:
    """Now, if no transaction is open, else once it has committed."""
    transaction.on_commit(lambda: _tell(message))


def _tell(message: Message) -> None:
    if not _listeners and settings.REDIS_URL:
        push(message, settings.REDIS_URL, settings.REDIS_PREFIX)
    for listener in tuple(_listeners):
        try:
            listener(message)
        except Exception:
            log.exception("live.notice_failed")
