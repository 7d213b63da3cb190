"""What does one gateway process have to be told?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.accounts import OnFull


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """``bundle``, ``key`` and ``directory`` (and ``state``); or ``state``; or ``server`` and ``state``."""

    bundle: Path | None = None
    """A bundle file; its envelope is expected beside it, as ``<name>.dsse.json``."""
    key: Path | None = None
    """PEM public key whose signature on the bundle is believed."""
    directory: Path | None = None
    """JSON file of keys and shares."""
    state: Path | None = None
    """A state folder: somebody else's to write; with ``server``, or beside ``bundle``, this gateway's own."""
    server: str | None = None
    """Follow the console this gateway was enrolled with; a URL here moves it to a new address."""
    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free port and prints it."""
    region: str = "local"
    """Where it stands; routes may ask for it."""
    admin_host: str = "127.0.0.1"
    admin_port: int = 8081
    record: Path | None = None
    """Folder to record traffic in, for simulations; nothing is recorded without one."""
    ready_file: Path | None = None
    """Written, as JSON {port, admin_port, pid}, once requests are served."""
    tls_cert: Path | None = None
    """PEM file of the chain shown to clients; with ``tls_key`` the public port speaks TLS only."""
    tls_key: Path | None = None
    replica_ca: Path | None = None
    """PEM file of the authorities believed for https replicas; the system's if absent."""
    drain_seconds: float = 2.0
    """How long a stopping gateway lets answers in progress go on before it ends them with an error."""
    workers: int = 1
    """Processes that share the port; with more than one, this process decides and they serve."""
    on_ledger_full: OnFull = "serve"
    """What to do with requests while their usage cannot be put on record."""

    @property
    def own_folder(self) -> Path | None:
        """The state folder, if it is this gateway's own and not somebody else's to write."""
        return self.state if self.server is not None or self.bundle is not None else None

    @property
    def usage_folder(self) -> Path | None:
        """Where usage is kept until the console has it; only in a folder of its own."""
        own = self.own_folder
        return own / "usage" if own is not None else None

    def require_one_way(self) -> None:
        """``ValueError`` unless exactly one way to be given a policy is used, and wholly."""
        parts = (self.bundle, self.key, self.directory)
        if self.server is not None and self.state is None:
            raise ValueError("--server needs --state DIR: the folder this gateway was enrolled into")
        if self.server is not None and any(part is not None for part in parts):
            raise ValueError("give either --server or --bundle, --key and --directory, not both")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("give both --tls-cert and --tls-key, or neither")
        whole = None not in parts
        if not whole and (self.state is None or any(part is not None for part in parts)):
            raise ValueError("give --state DIR, or all of --bundle FILE, --key PUB and --directory FILE")
