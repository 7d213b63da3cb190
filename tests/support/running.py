"""How does a test run ``headway up`` as a person would, and look at it?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent / "headway"
STARTS_WITHIN = 3 * 15.0
STOPS_WITHIN = 3 * 5.0


class Run:
    """One ``headway up`` on free ports, in a state folder of its own."""

    def __init__(self, var: Path, *arguments: str) -> None:
        self.var = var
        ports = ("--port", "0", "--gateway-port", "0", "--admin-port", "0", "--fleet-port", "0")
        given = {name: value for name, value in os.environ.items() if not name.startswith("HEADWAY_")}
        given.pop("DJANGO_SETTINGS_MODULE", None)
        self.output = var.parent / f"{var.name}.out"
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [str(BIN), "up", "--var", str(var), *ports, *arguments], stdout=out, stderr=out, env=given
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_until(self, true: Any, what: str) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while not true():
            assert self.process.poll() is None, f"it ended instead of {what}:\n{self.said}"
            assert time.monotonic() < deadline, f"never came: {what}\n{self.said}"
            time.sleep(0.05)

    def wait_started(self) -> None:
        """Up and answering. What does not get there is ended: a fixture that failed here never ends it."""
        try:
            self.wait_until(
                lambda: "Ctrl-C stops it" in self.said and "Logs, state" in self.said, "the summary"
            )
        except AssertionError:
            if self.process.poll() is None:
                self.end()
            raise

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.var / "demo.json").read_text())
        return found

    def pids(self) -> dict[str, int]:
        rows = json.loads((self.var / "processes.json").read_text())["processes"]
        return {row["name"]: row["pid"] for row in rows}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOPS_WITHIN)
