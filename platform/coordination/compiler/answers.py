"""Which questions have been answered before, and is all that they looked at still the same?

A question is a pure function of named inputs. While it is being answered it is noted which inputs it looks
at, itself or through the questions it asks in turn. So the answers about one state of the inputs serve the
next: one whose inputs are all as they were stands, and nobody has to say beforehand what depends on what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
Key = tuple[object, ...]
"""A question, with what it was given."""


class Answer(NamedTuple):
    """What was found, and what it rests on."""

    value: Any
    inputs: frozenset[str]
    """Those that were looked at. The answer is the same wherever these are."""
    asked: tuple[Key, ...]
    """The questions that were asked on the way."""


class _Open:
    """A question that is being answered."""

    __slots__ = ("asked", "inputs")

    def __init__(self) -> None:
        self.inputs: set[str] = set()
        self.asked: list[Key] = []


class Answers:
    """The answers about one state of the inputs, each found when first asked for.

    Answers are shared between states: values must never be changed, nor hold on to a state. For one thread
    at a time, but ``earlier`` may be in use by others meanwhile.
    """

    def __init__(self, inputs: Mapping[str, Any], earlier: Answers | None = None) -> None:
        self._inputs = inputs
        self._found: dict[Key, Answer] = {}
        self._standing: dict[Key, Answer] = {}
        """Earlier answers that would still be right; those nobody asks for again are forgotten with this."""
        self._open: list[_Open] = []
        if earlier is not None:
            moved = set(_moved(inputs, earlier._inputs))
            self._standing = {k: a for k, a in earlier._found.copy().items() if moved.isdisjoint(a.inputs)}

    def look(self, name: str) -> Any:
        """An input."""
        if self._open:
            self._open[-1].inputs.add(name)
        return self._inputs[name]

    def ask(self, key: Key, work: Callable[[], T]) -> T:
        """The answer to ``key``, by ``work`` unless it is known."""
        answer = self._found.get(key) or self._adopt(key) or self._answer(key, work)
        if self._open:
            self._open[-1].inputs |= answer.inputs
            self._open[-1].asked.append(key)
        value: T = answer.value
        return value

    def items(self) -> Iterator[tuple[Key, Any]]:
        """Every question asked so far, with what was found."""
        return ((key, answer.value) for key, answer in self._found.items())

    def _answer(self, key: Key, work: Callable[[], Any]) -> Answer:
        opened = _Open()
        self._open.append(opened)
        try:
            value = work()
        finally:
            self._open.pop()
        answer = self._found[key] = Answer(value, frozenset(opened.inputs), tuple(opened.asked))
        return answer

    def _adopt(self, key: Key) -> Answer | None:
        """An earlier answer, together with those it was made of: a later state may need them one by one."""
        answer = self._standing.get(key)
        if answer is not None and key not in self._found:
            self._found[key] = answer
            for each in answer.asked:
                self._adopt(each)
        return answer


def _moved(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """The inputs that are not what they were."""
    for name in now.keys() | before.keys():
        one, other = now.get(name), before.get(name)
        if one is not other and one != other:
            yield name
