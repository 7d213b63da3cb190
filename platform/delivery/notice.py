"""Who is told, in this process, that a pointer moved? The board, if this process has one."""

from __future__ import annotations

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def listen(listener: Callable[[], None]) -> None:
    """``listener`` is called after each commit that moved a pointer, from the committing thread."""
    if listener not in _listeners:
        _listeners.append(listener)


def forget(listener: Callable[[], None]) -> None:
    if listener in _listeners:
        _listeners.remove(listener)


def post() -> None:
    for listener in tuple(_listeners):
        listener()
