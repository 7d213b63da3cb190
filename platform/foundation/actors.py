"""Who does something? A person, a service token, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Person(Protocol):
    """What evidence needs of a user: its key, and the name it signs in with."""

    pk: Any

    def get_username(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Automaton:
    """Something that is not a person: a token, with the user who answers for it, or the system."""

    name: str
    on_behalf: Person | None = None
    scopes: frozenset[str] = frozenset()
    """What a token may be used for; its owner's rights are the upper bound."""


SYSTEM = Automaton("headway")
"""What the console does of its own accord: loading examples, refreshing, sweeping."""

Actor = Person | Automaton


def name_of(actor: Actor) -> str:
    """The name evidence keeps, which outlives the account."""
    return actor.name if isinstance(actor, Automaton) else actor.get_username()


def person_behind(actor: Actor) -> Any:
    """The key of the user who did it or answers for it; None for the system itself."""
    person = actor.on_behalf if isinstance(actor, Automaton) else actor
    return None if person is None else person.pk
