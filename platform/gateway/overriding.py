"""Which overrides does this gateway enforce? What its pointer carries, and what was signed by hand.

The register says what counts; this puts it in force, ends it in time, keeps what came by hand beside the
gateway's other state, and shows it. Requests do not look here: blocks are a table that is absent while it
would be empty.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from coordination.bundle.keys import PublicKey
from coordination.bundle.override_register import Register, Widened, deliver, take
from coordination.bundle.overrides import Override, open_override
from coordination.bundle.refusals import Refused, RefusedError
from gateway.blocks import Blocks, why
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator, Overriding
from gateway.log import log

FILE = "overrides.json"
KIND = "headway_override_expires_seconds"
Trust = Callable[[], Mapping[str, PublicKey]]


class Kept(msgspec.Struct):
    """The file: envelopes, verified again when they are read; and what rests."""

    environment: str
    by_hand: list[tuple[str, int]]
    """Envelope in base64, and until when it is remembered."""
    widened: list[tuple[str, str, int]]


class Overrides:
    """One gateway's overrides, on its event loop."""

    def __init__(
        self,
        coordinator: Coordinator,
        clock: PolicyClock,
        trust: Trust,
        block: Callable[[Blocks | None], None],
        freeze: Callable[[bool], None],
        folder: Path | None,
    ) -> None:
        """Blocking: reads what was given by hand before, from ``folder``, which is this gateway's own;
        without one a restart forgets it. ``trust``: whose signature counts now."""
        self._loop = asyncio.get_running_loop()
        self._coordinator = coordinator
        self._clock = clock
        self._trust = trust
        self._block = block
        self._freeze = freeze
        self._path = folder / FILE if folder is not None else None
        self._envelopes: dict[str, bytes] = {}
        """Of those by hand, by id."""
        self._timer: asyncio.TimerHandle | None = None
        self._refused: set[tuple[str, str]] = set()
        self._was: tuple[Override, ...] = ()
        self.register = Register()
        self._read()
        self.enforce()

    def deliver(self, overrides: tuple[Override, ...], order: tuple[int, int]) -> None:
        """A pointer was verified: what it carries replaces what the one before did."""
        before = self.register.widened
        self.register, refused = deliver(self.register, overrides, order, self._clock.now())
        if self.register.widened != before:
            self._write(self.register, self._envelopes)
        for override, why_not in refused:
            if (override.id, why_not.code) not in self._refused:
                log("override_refused", id=override.id, code=why_not.code, message=why_not.message)
        self._refused = {(override.id, why_not.code) for override, why_not in refused}
        self.enforce()

    def take(self, envelope: bytes) -> Override | Refused:
        """Somebody at the admin port gives one that was signed by hand. Blocking for as long as a small file
        takes to be written: what was answered as taken survives."""
        environment = self._coordinator.active.environment
        try:
            override = open_override(envelope, self._trust(), environment=environment).override
        except RefusedError as error:
            log("override_refused", code=error.refused.code, message=error.refused.message)
            return error.refused
        found = take(self.register, override, self._clock.now())
        if isinstance(found, Refused):
            log("override_refused", id=override.id, code=found.code, message=found.message)
            return found
        envelopes = {**self._envelopes, override.id: envelope}
        held = {one.override.id for one in found.by_hand}
        envelopes = {one: envelopes[one] for one in envelopes if one in held}
        wrong = self._write(found, envelopes)
        if wrong is not None:
            return wrong
        self.register, self._envelopes = found, envelopes
        log("override_taken", id=override.id, kind=override.kind, subject=override.subject, by=override.by)
        self.enforce()
        return override

    def enforce(self) -> None:
        """Bring what is enforced in line with what counts now, also after another policy came."""
        now = self._clock.now()
        found = self.register.in_force(now)
        self._tell_apart(found)
        by_kind: dict[str, list[Override]] = {}
        for one in found:
            by_kind.setdefault(one.kind, []).append(one)
        tenants = {one.subject: why(one) for one in by_kind.get("block_tenant", ())}
        keys = {one.subject: why(one) for one in by_kind.get("block_key", ())}
        self._block(Blocks(tenants, keys) if tenants or keys else None)
        self._freeze("freeze_releases" in by_kind)
        self._coordinator.override(
            Overriding(
                pools={one.subject: why(one) for one in by_kind.get("drain_pool", ())},
                replicas=frozenset(one.subject for one in by_kind.get("drain_replica", ())),
                waking={one.subject: one.expires_at for one in by_kind.get("wake_pool", ())},
                raised={
                    one.limit: (one.amount_ppm, why(one))
                    for one in by_kind.get("raise_limit", ())
                    if one.amount_ppm is not None
                },
            )
        )
        self._arm(now)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # -- what the admin port shows -------------------------------------------------------------

    @property
    def in_force(self) -> tuple[Override, ...]:
        return self.register.in_force(self._clock.now())

    def as_json(self) -> dict[str, Any]:
        """Those in force, JSON-ready; instants in microseconds since 1970."""
        by_hand = {one.override for one in self.register.by_hand}
        return {
            "overrides": [
                {
                    "id": one.id,
                    "kind": one.kind,
                    "subject": one.subject,
                    "amount_ppm": one.amount_ppm,
                    "issued_at": one.issued_at,
                    "expires_at": one.expires_at,
                    "reason": one.reason,
                    "by": one.by,
                    "approved_by": one.approved_by,
                    "from": "hand" if one in by_hand else "pointer",
                }
                for one in self.in_force
            ],
            "kept": self._path is not None,
        }

    def page(self) -> bytes:
        """For ``/metrics``: empty while there is none."""
        found = self.in_force
        if not found:
            return b""
        lines = [f"# HELP {KIND} Unix time at which an override in force ends.", f"# TYPE {KIND} gauge"]
        lines += [
            f'{KIND}{{id="{one.id}",kind="{one.kind}",subject="{_quoted(one.subject)}"}} '
            f"{one.expires_at // 1_000_000}"
            for one in found
        ]
        return ("\n".join(lines) + "\n").encode()

    # -- inside --------------------------------------------------------------------------------

    def _arm(self, now: int) -> None:
        """Come back when the next one ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.register.next_change(now)
        if at is not None:
            self._timer = self._loop.call_later(min((at - now) / 1e6, 3600.0) + 0.001, self.enforce)

    def _tell_apart(self, found: tuple[Override, ...]) -> None:
        before, after = {one.id: one for one in self._was}, {one.id: one for one in found}
        for override_id in after.keys() - before.keys():
            one = after[override_id]
            log("override_in_force", id=one.id, kind=one.kind, subject=one.subject, reason=one.reason)
        for override_id in before.keys() - after.keys():
            log("override_over", id=override_id, kind=before[override_id].kind)
        self._was = found

    def _read(self) -> None:
        if self._path is None or not self._path.exists():
            return
        environment, now = self._coordinator.active.environment, self._clock.now()
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=Kept)
            held = [(b64decode(envelope, validate=True), until) for envelope, until in kept.by_hand]
        except (OSError, ValueError) as error:
            log("overrides_not_read", message=f"{error} ({self._path})")
            return
        if kept.environment != environment:
            return
        register = Register()
        for envelope, _ in held:
            try:
                override = open_override(envelope, self._trust(), environment=environment).override
            except RefusedError as error:
                log("override_refused", code=error.refused.code, message=error.refused.message)
                continue
            self._envelopes[override.id] = envelope
            register = register.remembering(override, dict(held)[envelope])
        self.register = register.resting([Widened(*one) for one in kept.widened], now)

    def _write(self, register: Register, envelopes: Mapping[str, bytes]) -> Refused | None:
        if self._path is None:
            return None
        kept = Kept(
            self._coordinator.active.environment,
            [
                (b64encode(envelopes[one.override.id]).decode(), one.remembered_until)
                for one in register.by_hand
            ],
            [(one.subject, one.id, one.expires_at) for one in register.widened],
        )
        fresh = self._path.with_name(f".{FILE}-new")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            log("overrides_not_written", message=f"{error.strerror or error} ({self._path})")
            return Refused("persist_failed", f"{error.strerror or error} ({self._path})")
        return None


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
