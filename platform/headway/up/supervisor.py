"""What keeps the children running, and ends all of them in time?"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from headway.up.child import Child, Spec
from headway.up.processes import write_processes
from headway.up.trouble import CannotStart

STOP_WITHIN = 4.5
"""Seconds for all of them to end; what is left is killed."""
GIVE_UP_AFTER = 3
"""A child that ended so often before it first answered will not start by itself."""
START_WITHIN = 60.0
TICK = 0.1

Say = Callable[[str], None]


class StopAsked(Exception):
    """A signal came while something was being started."""


@dataclass(slots=True)
class Supervisor:
    """Starts children, restarts what ends, stops all in reverse order of their importance."""

    var: Path
    say: Say
    children: list[Child] = field(default_factory=list)
    stop_within: float = STOP_WITHIN
    stop_asked: bool = False

    def catch_signals(self) -> None:
        """Take SIGINT and SIGTERM explicitly: a shell starts background jobs with SIGINT ignored."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked)

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        # A plain flag: the handler may interrupt this very thread while it holds any lock.
        self.stop_asked = True

    def check_stop(self) -> None:
        """Raise ``StopAsked`` if a signal came; for long steps between which stopping is clean."""
        if self.stop_asked:
            raise StopAsked

    def start(self, specs: Sequence[Spec]) -> None:
        """Start all of ``specs`` at once and return when each has answered.

        ``CannotStart`` with the end of its log if one keeps ending, or has not answered in time.
        """
        logs = self.var / "log"
        logs.mkdir(mode=0o700, exist_ok=True)
        fresh = [Child(spec, logs / f"{spec.name}.log") for spec in specs]
        for child in fresh:
            child.log.unlink(missing_ok=True)
            child.start(time.monotonic())
            self.children.append(child)
        self._record()
        deadline = time.monotonic() + START_WITHIN
        while waiting := [child for child in fresh if not child.answered]:
            self.check_stop()
            self._look_after()
            for child in waiting:
                if child.failures >= GIVE_UP_AFTER:
                    raise CannotStart(f"{child.spec.what} does not start; {self._last_words(child)}")
                if child.running and child.spec.answers():
                    child.answered = True
                    address = child.spec.address
                    self.say(f"{child.spec.what} " + (f"answers at {address}" if address else "runs"))
                    self._record()
            if time.monotonic() > deadline:
                late = ", ".join(child.spec.what for child in waiting)
                raise CannotStart(
                    f"no answer within {START_WITHIN:.0f} s from: {late}; {self._last_words(waiting[0])}"
                )
            time.sleep(TICK)

    def run(self) -> None:
        """Look after the children until a signal comes."""
        while not self.stop_asked:
            self._look_after()
            time.sleep(TICK)

    def stop(self) -> None:
        """End all children, the last started first, each before the next; all within ``stop_within``."""
        deadline = time.monotonic() + self.stop_within
        remaining = [child for child in reversed(self.children) if child.running]
        for position, child in enumerate(remaining):
            child.signal(signal.SIGTERM)
            # An even share of what is left for each: a slow one cannot use up the others' time.
            child.wait((deadline - time.monotonic()) / (len(remaining) - position))
        for child in remaining:
            child.wait(deadline - time.monotonic())
            child.signal(signal.SIGKILL)
        for child in remaining:
            child.wait(1.0)
        (self.var / "processes.json").unlink(missing_ok=True)

    def _look_after(self) -> None:
        now = time.monotonic()
        changed = False
        for child in self.children:
            if not child.look(now):
                continue
            changed = True
            if child.running:
                self.say(f"{child.spec.what} starts again")
            else:
                self.say(
                    f"{child.spec.what} ended (code {child.last_exit}); next start in "
                    f"{child.due_at - now:.1f} s, log: {child.log}"
                )
        if changed:
            self._record()

    def _record(self) -> None:
        write_processes(self.var, self.children)

    @staticmethod
    def _last_words(child: Child) -> str:
        tail = child.log_tail()
        return f"the end of {child.log}:\n{tail}" if tail else f"it wrote nothing to {child.log}"
