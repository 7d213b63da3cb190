"""How is the public port spoken to in TLS, and whom are replicas' certificates believed from?

A certificate is renewed by replacing its files: they are looked at every few seconds, tried, and then
used for the connections that come after. Files that do not fit together (one replaced, the other not
yet) change nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from gateway.log import log

LOOK_SECONDS = 5.0
HANDSHAKE_SECONDS = 10.0
"""Who has not shaken hands by then is gone."""


class TlsUnusable(Exception):
    """Files that hold no certificate, key or authority; the message says which and what to do."""


class Certificate:
    """What this gateway shows of itself, and keeps current until ``close``."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """PEM files; ``certificate`` holds the whole chain. Raises ``TlsUnusable``."""
        self._files = (certificate, key)
        self._seen = self._stamps()
        self.context = self._load()
        """For connections that begin now; its certificate changes, it does not."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look now and again whether the files have changed."""
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def refresh(self) -> None:
        """Use the files if they have changed and hold together."""
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._load()
            self.context.load_cert_chain(*self._files)
        except (TlsUnusable, OSError) as error:
            log("certificate_unusable", message=str(error))
        else:
            log("certificate_replaced", file=str(self._files[0]))

    def _look(self) -> None:
        self.refresh()
        self.start()

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            certificate, key = self._files
            raise TlsUnusable(
                f"cannot use the certificate {certificate} with the key {key}: {error}. "
                "Give PEM files: the chain with --tls-cert, its unencrypted key with --tls-key."
            ) from error
        return context

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp, self._files))


def trust(authorities: Path) -> ssl.SSLContext:
    """Believe what these authorities signed, and nobody else. Raises ``TlsUnusable``."""
    try:
        return ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise TlsUnusable(
            f"cannot read certificate authorities from {authorities}: {error}. "
            "Give a PEM file of one or more with --replica-ca."
        ) from error


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
