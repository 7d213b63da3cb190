"""Which attempts are open, and what did the ended ones use? On disk before it matters, through any kill.

``facts`` are what is written, ``records`` frames them, ``segments`` are files, ``recovery`` reads what a kill
left, ``journal`` is the log.
"""

from __future__ import annotations

from gateway.wal.facts import Begun
from gateway.wal.journal import Journal, Unsent
from gateway.wal.segments import JournalInUse

__all__ = ["Begun", "Journal", "JournalInUse", "Unsent"]
