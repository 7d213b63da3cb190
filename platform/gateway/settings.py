"""What does one gateway process have to be told?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Either ``bundle``, ``key`` and ``directory``, or ``state``."""

    bundle: Path | None = None
    """A bundle file; its envelope is expected beside it, as ``<name>.dsse.json``."""
    key: Path | None = None
    """PEM public key whose signature on the bundle is believed."""
    directory: Path | None = None
    """JSON file of keys and shares."""
    state: Path | None = None
    """A state folder, written by a subscriber or a supervisor."""
    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free port and prints it."""
    admin_host: str = "127.0.0.1"
    admin_port: int = 8081
    ready_file: Path | None = None
    """Written, as JSON {port, admin_port, pid}, once requests are served."""
    drain_seconds: float = 2.0
