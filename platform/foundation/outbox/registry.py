"""Who wants to hear of what, and who is woken when there is something to tell?

Filled by the apps' ``ready()``, so every Django process knows the same handlers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Handler = Callable[[Mapping[str, Any]], object]
"""Takes the payload. Idempotent; opens its own transactions; what it raises is a reason to try again."""
_H = TypeVar("_H", bound=Handler)

_handlers: dict[str, list[Handler]] = {}
_wakers: list[Callable[[], object]] = []


def subscribe(topic: str) -> Callable[[_H], _H]:
    """``subscribe("policies.merged")(handler)``, or as a decorator. Twice is once."""

    def register(handler: _H) -> _H:
        handlers = _handlers.setdefault(topic, [])
        if handler not in handlers:
            handlers.append(handler)
        return handler

    return register


def unsubscribe(topic: str, handler: Handler) -> None:
    _handlers.get(topic, []).remove(handler)


def handlers_of(topic: str) -> tuple[Handler, ...]:
    return tuple(_handlers.get(topic, ()))


def on_wake(waker: Callable[[], object]) -> Callable[[], None]:
    """Have ``waker`` called after each commit that emitted; returns how to stop that.

    It must return at once: it runs in the thread that committed.
    """
    _wakers.append(waker)
    return lambda: _wakers.remove(waker)


def wake() -> None:
    """Tell every drainer in this process. One that fails must not undo a commit that stands."""
    for waker in tuple(_wakers):
        try:
            waker()
        except Exception:
            log.exception("outbox.wake_failed")
