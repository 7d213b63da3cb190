"""How does a gateway process begin and end? Verify, self-test, serve; drain on a signal."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from coordination.bundle.refusals import Refused, RefusedError
from gateway.activation import Active, source_of
from gateway.clock import PolicyClock
from gateway.feed import Feed
from gateway.log import log
from gateway.process import CannotListen, GatewayProcess
from gateway.settings import GatewaySettings
from gateway.tls import TlsUnusable
from gateway.wal import JournalInUse
from gateway.watcher import Watcher
from gateway.workers.crew import WorkersFailed
from subscriber import identity as identities
from subscriber.identity import NoIdentity

FAILED = 1
"""Exit code: the worker processes do not come to serve."""
REFUSED = 2
"""Exit code: the policy may not be served, or the arguments make no sense."""
SWITCH_SECONDS = 0.0001
"""How long another thread of the process may keep the interpreter when the loop wants it: a policy is
loaded in one, and requests must not wait for that."""
PORT_TAKEN = 3
"""Exit code: a port could not be bound."""


def run(settings: GatewaySettings) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code: 0, ``FAILED``, ``REFUSED`` or ``PORT_TAKEN``."""
    try:
        settings.require_one_way()
    except ValueError as error:
        log("bad_arguments", message=str(error))
        return REFUSED

    async def serve() -> int:
        clock = PolicyClock()
        try:
            feed = _feed(settings, clock)
        except (NoIdentity, RefusedError) as error:
            log("not_enrolled", message=str(error))
            return REFUSED
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        active = await _first(feed, stopping)
        if active is None:
            return 0
        if isinstance(active, Refused):
            log("policy_refused", code=active.code, message=active.message, file=active.file)
            return REFUSED
        try:
            gateway = GatewayProcess(settings, feed, active, clock)
        except (JournalInUse, OSError) as error:
            log("usage_folder_unusable", message=str(error))
            return REFUSED
        except TlsUnusable as error:
            log("tls_unusable", message=str(error))
            return REFUSED
        try:
            await gateway.start()
        except CannotListen as error:
            log("cannot_listen", message=str(error))
            return PORT_TAKEN
        except WorkersFailed as error:
            log("workers_failed", message=str(error))
            return FAILED
        settle_down()
        _announce(gateway, settings)
        await stopping.wait()
        await gateway.stop()
        return 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(serve())
        finally:
            if settings.ready_file is not None:
                settings.ready_file.unlink(missing_ok=True)


def settle_down() -> None:
    """Keep what runs beside the loop from holding it up."""
    # What exists now stays: the collector need not walk it again, nor run at every 700 objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(SWITCH_SECONDS)


def _feed(settings: GatewaySettings, clock: PolicyClock) -> Feed:
    """Raises ``NoIdentity`` or ``RefusedError`` for a folder no gateway was enrolled into."""
    if settings.server is None:
        return Watcher(source_of(settings), clock)
    # Only a subscribed gateway needs a client of its console, so only that one pays for the import.
    from gateway.subscription import Subscription

    folder = settings.state or Path()
    identity = identities.load(folder)
    if settings.server:
        identity = msgspec.structs.replace(identity, server=settings.server)
    return Subscription(identity, folder)


async def _first(feed: Feed, stopping: asyncio.Event) -> Active | Refused | None:
    """What ``feed`` gives first; ``None`` if the process was told to stop before anything came."""
    first, stopped = asyncio.ensure_future(feed.first()), asyncio.ensure_future(stopping.wait())
    await asyncio.wait((first, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if first.done():
        return first.result()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await feed.stop()
    return None


def _announce(gateway: GatewayProcess, settings: GatewaySettings) -> None:
    """Say where it listens: on stdout for people, in the ready file for a supervisor."""
    facts = gateway.ready_facts()
    log("serving", **facts, bundle=gateway.active.digest, stale=gateway.active.stale)
    if settings.ready_file is not None:
        partial = settings.ready_file.with_name(settings.ready_file.name + ".partial")
        partial.write_text(json.dumps(facts))
        os.replace(partial, settings.ready_file)
    scheme = "http" if settings.tls_cert is None else "https"
    sys.stdout.write(f"gateway on {scheme}://{settings.host}:{facts['port']}/v1")
    sys.stdout.write(f", admin on http://{settings.admin_host}:{facts['admin_port']}\n")
    sys.stdout.flush()
