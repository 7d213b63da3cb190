"""Which key is shown to the replicas of a pool? Named by the policy, found on this machine.

An environment variable is read once a policy; a file is read again when it changes, so that a key can be
replaced without a restart. What is missing is said in the log and in ``/readyz``: such a pool's replicas
are asked without a key, and refuse.
"""

from __future__ import annotations

import os
from pathlib import Path

from coordination.program.index import Program
from coordination.program.records import AuthRecord
from gateway.log import log

Stamp = tuple[int, int, int] | None


class Credentials:
    """Header lines by pool, for the program they were last told of."""

    def __init__(self) -> None:
        self.lines: dict[str, bytes] = {}
        """Pool -> its ``authorization`` line; pools that want none are not in it."""
        self._wanted: dict[str, AuthRecord] = {}
        self._seen: dict[str, Stamp] = {}
        self._program: Program | None = None

    def follow(self, program: Program) -> None:
        """Read what ``program`` names, and what has changed since the last call."""
        if program is not self._program:
            self._program = program
            self._wanted = {pool.name: pool.auth for pool in program.records.pools if pool.auth is not None}
            self._seen = {}
            self.lines = {}
        for pool, auth in self._wanted.items():
            stamp = _stamp(auth)
            if pool not in self._seen or stamp != self._seen[pool]:
                self._seen[pool] = stamp
                self._read(pool, auth)

    @property
    def missing(self) -> list[str]:
        """Pools whose key cannot be found."""
        return sorted(self._wanted.keys() - self.lines.keys())

    def _read(self, pool: str, auth: AuthRecord) -> None:
        try:
            found = os.environ.get(auth.env, "") if auth.env else Path(auth.file or "").read_text("latin-1")
        except OSError as error:
            found, why = "", error.strerror or str(error)
        else:
            why = "it is empty or has more than one word"
        key = found.strip()
        if not key.isprintable() or not key.isascii() or len(key.split()) != 1:
            where = f"variable {auth.env}" if auth.env else f"file {auth.file}"
            log("credential_missing", pool=pool, message=f"no key in the {where}: {why}")
            self.lines.pop(pool, None)
            return
        self.lines[pool] = b"authorization: Bearer %b\r\n" % key.encode("ascii")


def _stamp(auth: AuthRecord) -> Stamp:
    if auth.file is None:
        return None
    try:
        found = Path(auth.file).stat()
    except OSError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size
