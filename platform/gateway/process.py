"""What is one gateway made of? The parts, wired together, started and stopped in order."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

from coordination.program.timeline import recurrences_end
from coordination.wire.telemetry import Queue, Replica
from gateway.activation import Active
from gateway.admin import AdminPlane
from gateway.blocks import Blocks
from gateway.books import Books
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.data_plane import DataPlane
from gateway.downstream.listener import Listener
from gateway.downstream.request import Limits
from gateway.feed import Feed
from gateway.log import log
from gateway.observer import Observer
from gateway.overriding import Overrides
from gateway.recording import Recording, Together
from gateway.resolver import Lookup, Resolver
from gateway.settings import GatewaySettings
from gateway.steering_page import steering_page
from gateway.teams_page import teams_page
from gateway.telemetry.reporter import Facts, Reporter
from gateway.telling import Telling
from gateway.tls import Certificate, trust
from gateway.upstream.pool import Replicas
from gateway.workers.crew import Workers, WorkersFailed
from gateway.workers.desk import Desk
from gateway.workers.policy import Opening
from gateway.workers.processes import Launch, launch


class CannotListen(Exception):
    """A port could not be bound; the message says which, why, and what to do."""


class GatewayProcess:
    """A gateway on the running loop. ``start`` serves; ``stop`` drains."""

    def __init__(
        self,
        settings: GatewaySettings,
        feed: Feed,
        active: Active,
        clock: PolicyClock,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
        launch: Launch = launch,
    ) -> None:
        """``active``: what ``feed`` gave first. ``tls``: whom to believe on https replicas. ``lookup``: who
        resolves the names of replicas, by default the system. ``launch``: starts a worker.

        Reads certificates, and the usage the last gateway left: raises ``TlsUnusable``,
        ``JournalInUse`` or ``OSError``.
        """
        self._settings = settings
        self.certificate: Certificate | None = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            self.certificate = Certificate(settings.tls_cert, settings.tls_key)
        if tls is None and settings.replica_ca is not None:
            tls = trust(settings.replica_ca)
        self.clock = clock
        system = random.SystemRandom()
        salt = system.getrandbits(64)
        self.coordinator = Coordinator(active, self.clock, seed=system.getrandbits(64), salt=salt)
        self.replicas = Replicas(tls)
        self.books = Books(settings.usage_folder, clock, feed.post, settings.on_ledger_full)
        self.books.restore(self.coordinator)
        self.coordinator.follow_credits()
        self.telling = Telling(clock, feed.post) if feed.post is not None else None
        self.recording = Recording(settings.record, clock) if settings.record is not None else None
        tellers = [teller for teller in (self.telling, self.recording) if teller is not None]
        self.plane = DataPlane(
            self.coordinator,
            self.replicas,
            self.clock,
            self.books.accounts,
            Together(tellers) if len(tellers) > 1 else next(iter(tellers), None),
            settings.region,
        )
        self.plane.credentials.follow(active.program)
        shown = self.certificate.context if self.certificate is not None else None
        self.data = Listener(self.plane, limits, shown)
        self.workers: Workers | None = None
        if settings.workers > 1:
            self.workers = self._workers(salt, active, launch)
        self.overrides = Overrides(
            self.coordinator, clock, lambda: feed.trusted, self._block, feed.freeze, settings.own_folder
        )
        self.overrides.deliver(active.overrides, active.order)
        self.front: Listener | Workers = self.workers or self.data
        """Where clients are served: here, or by workers."""
        self.admin = Listener(AdminPlane(self))
        self._resolver = Resolver(self.coordinator, self.clock, lookup)
        self._observer = Observer(self.coordinator, self.replicas, self.clock, self.plane.credentials)
        self._feed = feed
        self.reporter = Reporter(self.plane.metrics.meter, self._telemetry, self.clock, feed.post)

    def _workers(self, salt: int, active: Active, launch: Launch) -> Workers:
        settings, plane = self._settings, self.plane
        desk = Desk(
            self.coordinator,
            self.clock,
            plane.accounts,
            plane.metrics,
            plane.explanations,
            plane.teller,
            plane.mirrors,
        )
        opening = Opening(
            offset=self.clock.offset,
            salt=salt,
            region=settings.region,
            tls_cert=_text(settings.tls_cert),
            tls_key=_text(settings.tls_key),
            replica_ca=_text(settings.replica_ca),
        )
        return Workers(settings, desk, plane.metrics.meter, opening, active, self._enforce, launch)

    @property
    def active(self) -> Active:
        return self.coordinator.active

    async def start(self) -> None:
        """Listen on both ports, then watch replicas and policy.

        Raises ``CannotListen`` or ``WorkersFailed``.
        """
        settings = self._settings
        await self._resolver.first()
        await _listen(self.admin, settings.admin_host, settings.admin_port, "--admin-port")
        try:
            await _listen(self.front, settings.host, settings.port, "--port")
        except (CannotListen, WorkersFailed):
            self.admin.close()
            raise
        if self.workers is None:
            if self.certificate is not None:
                self.certificate.start()
            self.plane.start()
        self._resolver.start()
        self._observer.start()
        self._feed.start(self._activate, self.overrides.deliver)
        self.reporter.start()
        self.books.start()
        if self.telling is not None:
            self.telling.start()
        if self.recording is not None:
            self.recording.start()

    async def stop(self) -> None:
        """Answer what is in progress for as long as the settings allow, then end it with an error."""
        front = self.front
        front.stop_accepting()
        with suppress(TimeoutError):
            await asyncio.wait_for(front.emptied(), self._settings.drain_seconds + front.grace)
        left = self._connections()
        front.close()  # ends what is still open, so that the last words tell of it
        await asyncio.sleep(0)
        words = [self.reporter.stop(), self.books.stop()]
        await asyncio.gather(*words, *([self.telling.stop()] if self.telling is not None else []))
        if self.recording is not None:
            self.recording.stop()
        await self._feed.stop()
        self.admin.close()
        if self.certificate is not None:
            self.certificate.close()
        self._observer.close()
        self._resolver.close()
        self.overrides.close()
        self.plane.close()
        self.coordinator.close()
        self.replicas.close()
        await asyncio.sleep(0)
        log("stopped", cut_off=left)

    def ready_facts(self) -> dict[str, int]:
        """What the ready file says."""
        return {"port": self.front.port, "admin_port": self.admin.port, "pid": os.getpid()}

    # -- what the admin port shows -------------------------------------------------------------

    def readiness(self) -> dict[str, Any]:
        """Ready means: a verified policy is enforced and new requests are accepted."""
        active, refused = self.active, self._feed.refused
        return {
            "ready": not self.front.draining if self.workers is None else self.workers.serving,
            "bundle": active.digest,
            "environment": active.environment,
            "directory_serial": active.directory.serial,
            "pointer": active.pointer,
            "stale": self._feed.stale,
            "timeline_over": self._timeline_over(),
            "refused": None
            if refused is None
            else {
                "code": refused.code,
                "message": refused.message,
                "file": refused.file,
                "json_pointer": refused.json_pointer,
            },
            "ledger": self.books.state(),
            "credentials_missing": self.plane.credentials.missing,
            "recording": self._recording(),
            "workers": None if self.workers is None else self.workers.states(),
            "teams_refused": [refused._asdict() for refused in self.coordinator.teams_refused()],
            "overrides": self.overrides.as_json()["overrides"],
            "replicas": self.replica_states(),
            "names": self.name_states(),
        }

    def _timeline_over(self) -> bool:
        """Whether time has passed what the policy's build looked ahead to, so that nothing recurs (R2)."""
        end = recurrences_end(self.active.program.records)
        return end is not None and self.clock.now() >= end

    def _recording(self) -> dict[str, Any] | None:
        recording = self.recording
        if recording is None:
            return None
        return {
            "written": recording.written,
            "left_out": recording.left_out,
            "stopped": recording.stopped,
        }

    def replica_states(self) -> list[dict[str, Any]]:
        """Every replica the policy names, as last seen. Unknown is ``null``."""
        return self._observer.states()

    def name_states(self) -> list[dict[str, Any]]:
        """Every name that stands for replicas, as last resolved."""
        return self._resolver.states()

    def _connections(self) -> int:
        return len(self.data.connections) if self.workers is None else self.workers.connections

    def metrics_page(self) -> bytes:
        workers = self.workers
        return (
            self.plane.metrics.page(
                queue_depths=self.coordinator.queue_depths(),
                replicas=[
                    (s.pool, s.replica, bool(s.reachable)) for _, s in sorted(self._observer.seen.items())
                ],
                connections=self._connections(),
                in_flight=len(self.plane.live) if workers is None else workers.in_flight,
                bundle=self.active.digest,
                shadowed=self.coordinator.shadowed(),
                shortfalls=self.coordinator.shortfalls(),
                kept=self.coordinator.kept(),
                recurrences_end=recurrences_end(self.active.program.records),
                used_by_workers=(0.0, 0) if workers is None else workers.used,
            )
            + self._resolver.page()
            + self.books.page()
            + steering_page(self.coordinator, self.plane.mirrors)
            + teams_page(self.coordinator)
            + (b"" if workers is None else workers.page())
            + self.overrides.page()
        )

    def _telemetry(self) -> Facts:
        return Facts(
            bundle=self.active.digest,
            stale=self._feed.stale,
            queues=tuple(
                Queue(pool=pool, band=band, depth=depth, oldest_us=max(0, oldest))
                for (pool, band), (depth, oldest) in self.coordinator.queues().items()
            ),
            replicas=tuple(
                Replica(
                    pool=state["pool"],
                    replica=state["replica"],
                    reachable=state["reachable"],
                    running=state["running"],
                    waiting=state["waiting"],
                    kv_used_ppm=state["kv_used_ppm"],
                    age_ms=state["age_ms"],
                )
                for state in self.replica_states()
            ),
            ledger=self.books.told(),
        )

    def _activate(self, active: Active) -> None:
        if self.workers is not None:
            self.workers.activate(active)
        else:
            self._enforce(active)

    def _enforce(self, active: Active) -> None:
        self.plane.credentials.follow(active.program)
        self.coordinator.activate(active)
        self._resolver.ask()

    def _block(self, blocks: Blocks | None) -> None:
        self.plane.blocks = blocks
        if self.workers is not None:
            self.workers.block(blocks)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


async def _listen(listener: Listener | Workers, host: str, port: int, option: str) -> None:
    try:
        await listener.start(host, port)
    except OSError as error:
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror or error}. "
            f"Another process may hold the port: end it, or choose another {option}."
        ) from error
