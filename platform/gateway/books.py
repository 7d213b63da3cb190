"""Where does this gateway keep its usage, and how is that doing? The journal and those who work with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from coordination.wire.telemetry import Ledger
from gateway.accounts import Accounts, JournalAccounts, NoAccounts, OnFull
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.feed import Post
from gateway.log import log
from gateway.memory import Memory
from gateway.shipping import Shipping
from gateway.wal import Journal

LAST_WORDS = 0.5
"""Seconds a stopping gateway gives its last events; what is left is sent when it is back."""


class Books:
    """The usage of one gateway, on its disk and on its way to the console."""

    def __init__(self, folder: Path | None, clock: PolicyClock, post: Post | None, on_full: OnFull) -> None:
        """Blocking: reads what the last gateway left. Raises ``JournalInUse``.

        Without a ``folder`` nothing is kept. With one that cannot be read nothing is served, or, if
        ``on_full`` says so, everything, and nothing kept: raises ``OSError`` in the former case.
        """
        self.accounts: Accounts = NoAccounts()
        self._shipping: Shipping | None = None
        self._folder, self._clock = folder, clock
        self.memory: Memory | None = None
        self._trouble = ""
        self._told_unrecorded = 0
        if folder is None:
            return
        try:
            journal = Journal(folder)
        except OSError as error:
            if on_full == "refuse":
                raise
            self._trouble = f"{error.strerror or error} ({folder})"
            log("wal_unusable", message=self._trouble)
            return
        if journal.interrupted:
            log("attempts_interrupted", count=journal.interrupted)
        self.accounts = JournalAccounts(journal, clock, on_full)
        self._shipping = Shipping(journal, folder, clock, post, os.urandom(8).hex())

    def restore(self, coordinator: Coordinator) -> None:
        """Blocking: give the limits back what they knew before this start, and remember them from now on."""
        if self._shipping is not None and self._folder is not None:
            self.memory = Memory(self._folder, self._shipping.journal, coordinator, self._clock)

    def start(self) -> None:
        if self._shipping is not None:
            self._shipping.start()
        if self.memory is not None:
            self.memory.start()

    async def stop(self) -> None:
        if self.memory is not None:
            await self.memory.stop()
        if self._shipping is not None:
            await self._shipping.stop(LAST_WORDS)

    # -- how it is doing -----------------------------------------------------------------------

    def state(self) -> dict[str, Any] | None:
        """For ``/readyz``; ``None``: nothing is kept here, nor meant to be."""
        if self._shipping is None:
            return {"recording": False, "trouble": self._trouble} if self._trouble else None
        journal = self._shipping.journal
        return {
            "recording": journal.has_room(),
            "trouble": journal.trouble,
            "unsent": journal.unsent,
            "unrecorded": journal.unrecorded,
            "lost": journal.lost,
            "declined": self._shipping.declined,
            "interrupted": journal.interrupted,
        }

    def told(self) -> Ledger | None:
        """For telemetry: since the last call."""
        if self._shipping is None:
            return Ledger(recording=False) if self._trouble else None
        journal = self._shipping.journal
        before, self._told_unrecorded = self._told_unrecorded, journal.unrecorded
        return Ledger(
            recording=journal.has_room(), unrecorded=journal.unrecorded - before, unsent=journal.unsent
        )

    def page(self) -> bytes:
        """For ``/metrics``."""
        if self._shipping is None:
            return b""
        journal = self._shipping.journal
        lines: list[str] = []
        for name, kind, text, value in (
            ("headway_usage_recording", "gauge", "New attempts are put on record.", int(journal.has_room())),
            ("headway_usage_unsent_events", "gauge", "Events the console has not taken.", journal.unsent),
            ("headway_usage_unrecorded_total", "counter", "Attempts without record.", journal.unrecorded),
            ("headway_usage_lost_total", "counter", "Attempts no event will tell of.", journal.lost),
            (
                "headway_usage_declined_total",
                "counter",
                "Events the console will not have.",
                self._shipping.declined,
            ),
        ):
            lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {value}")
        return ("\n".join(lines) + "\n").encode()
