"""What has an agent's run, or a client's session, used so far, and may it go on? (R7, R17)

A run is its tenant's: two tenants may use one name. Its tokens stand as held from admission and as used
from settlement (R6); a request that was never sent gives its step back too. What has been silent for a day,
or longer than its wall time allows, is forgotten, the oldest first when there are too many.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from coordination.program.records import MILLION, GuardsRecord, LoopGuardRecord, Micros
from coordination.scheduling.traits import Run, Task

Kind = Literal["run", "session"]
FORGOTTEN_AFTER: Final[Micros] = 86_400 * MILLION
MOST: Final = 100_000
"""Runs and sessions remembered; one that is in progress is never forgotten."""
SLOWED_BY: Final[Micros] = MILLION
"""How long a loop's next call waits; each repeat more doubles it."""


class Guard(NamedTuple):
    """What one quota lets a run or a session use."""

    kind: Kind
    quota: str
    most: GuardsRecord
    loop: LoopGuardRecord | None


class Broken(NamedTuple):
    """A guard that refuses: of what, how much, of how much."""

    guard: Guard
    of: Literal["tokens", "steps", "wall_time", "branches", "repeats"]
    used: int
    limit: int


class Course:
    """One run or session. Times are policy-clock microseconds."""

    __slots__ = ("attained", "call", "first", "last", "open", "repeats", "steps", "tokens")

    def __init__(self, now: Micros) -> None:
        self.first = self.last = now
        self.steps = 0
        """Requests admitted."""
        self.open = 0
        """Of those, not over."""
        self.tokens = 0
        """Used, and held by what is in progress."""
        self.attained = 0
        """Fairness cost it was served, millionths of an uncached input token."""
        self.call = 0
        self.repeats = 0
        """How many requests in a row had this last call."""

    def begin(self, tokens: int, call: int, now: Micros) -> None:
        """A request of it was admitted."""
        self.steps += 1
        self.open += 1
        self.tokens += tokens
        self.last = now
        self.repeats = self.repeats + 1 if call and call == self.call else 1
        self.call = call

    def again(self, call: int) -> int:
        """How many in a row a request with this last call would make."""
        return self.repeats + 1 if call and call == self.call else 1


class Runs:
    """Every run and session that is not forgotten."""

    __slots__ = ("_courses", "_most")

    def __init__(self, most: int = MOST) -> None:
        self._courses: OrderedDict[tuple[str, Kind, str], Course] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._courses)

    def find(self, tenant: str, kind: Kind, name: str) -> Course | None:
        return self._courses.get((tenant, kind, name))

    def courses(self, tenant: str, task: Task, now: Micros) -> dict[Kind, Course]:
        """Those a request is part of, made on first sight."""
        found: dict[Kind, Course] = {}
        if task.run:
            found["run"] = self._course((tenant, "run", task.run), now)
        if task.session:
            found["session"] = self._course((tenant, "session", task.session), now)
        return found

    def _course(self, key: tuple[str, Kind, str], now: Micros) -> Course:
        course = self._courses.get(key)
        if course is not None and (course.open or now - course.last <= FORGOTTEN_AFTER):
            self._courses.move_to_end(key)
            return course
        course = self._courses[key] = Course(now)
        self._courses.move_to_end(key)
        if len(self._courses) > self._most:
            self._forget()
        return course

    def _forget(self) -> None:
        for key, course in self._courses.items():
            if not course.open:
                del self._courses[key]
                return


def broken(
    guards: tuple[Guard, ...], courses: Mapping[Kind, Course], tokens: int, call: int, now: Micros
) -> Broken | None:
    """The first guard that has no room for a request which holds ``tokens``; None: all have."""
    for guard in guards:
        course = courses.get(guard.kind)
        if course is None:
            continue
        most = guard.most
        if most.tokens is not None and course.tokens + min(tokens, most.tokens) > most.tokens:
            return Broken(guard, "tokens", course.tokens, most.tokens)
        if most.steps is not None and course.steps >= most.steps:
            return Broken(guard, "steps", course.steps, most.steps)
        if most.wall_time is not None and now - course.first > most.wall_time:
            return Broken(guard, "wall_time", now - course.first, most.wall_time)
        if most.branches is not None and course.open >= most.branches:
            return Broken(guard, "branches", course.open, most.branches)
        if guard.loop is not None and guard.loop.then == "refuse":
            again = course.again(call)
            if again > guard.loop.repeats:
                return Broken(guard, "repeats", again, guard.loop.repeats)
    return None


def slowed(guards: tuple[Guard, ...], courses: Mapping[Kind, Course], call: int, most: Micros) -> Micros:
    """How long a request waits because its run seems to go in a circle; at most ``most``."""
    longest = 0
    for guard in guards:
        course = courses.get(guard.kind)
        if course is not None and guard.loop is not None and guard.loop.then == "slow":
            beyond = course.again(call) - guard.loop.repeats
            if beyond > 0:
                longest = max(longest, SLOWED_BY << min(beyond - 1, 40))
    return min(longest, most)


def left(guards: tuple[Guard, ...], courses: Mapping[Kind, Course]) -> tuple[int | None, int | None]:
    """Tokens and steps the tightest guards still allow; None where nothing limits."""
    tokens: int | None = None
    steps: int | None = None
    for guard in guards:
        course = courses.get(guard.kind)
        if course is None:
            continue
        if guard.most.tokens is not None:
            room = max(0, guard.most.tokens - course.tokens)
            tokens = room if tokens is None else min(tokens, room)
        if guard.most.steps is not None:
            room = max(0, guard.most.steps - course.steps)
            steps = room if steps is None else min(steps, room)
    return tokens, steps


def standing(task: Task, courses: Mapping[Kind, Course]) -> Run | None:
    """Where its run stands as a request arrives, for ``las``."""
    course = courses.get("run")
    if course is None:
        return None
    return Run(task.run, task.step or course.steps + 1, course.attained // MILLION)
