"""What was asked of ``headway up``?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
REPLICAS = 8
PROFILE = "llama-3-8b-h100-tp1"


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, unchanged. A port of 0 means any free one."""

    port: int
    gateway_port: int
    admin_port: int
    fleet_port: int
    """The first of ``REPLICAS`` consecutive ports."""
    var: Path
    demo: bool
    gateway_workers: int = 1
    """Processes that share the gateway's port."""
    profile: str = PROFILE
    """What the simulated replicas are: a built-in profile, or the file of one."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports in use: every 0 resolved."""

    console: int
    gateway: int
    admin: int
    fleet: int

    @property
    def console_url(self) -> str:
        return f"http://{LOOPBACK}:{self.console}"

    @property
    def gateway_url(self) -> str:
        return f"http://{LOOPBACK}:{self.gateway}"

    @property
    def admin_url(self) -> str:
        return f"http://{LOOPBACK}:{self.admin}"

    @property
    def replica_urls(self) -> tuple[str, ...]:
        return tuple(f"http://{LOOPBACK}:{self.fleet + index}" for index in range(REPLICAS))
