"""How does a gateway process begin and end? Verify, self-test, serve; drain on a signal."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys

import uvloop

from coordination.bundle.refusals import Refused
from gateway.activation import source_of
from gateway.clock import PolicyClock
from gateway.log import log
from gateway.process import CannotListen, GatewayProcess
from gateway.settings import GatewaySettings

REFUSED = 2
"""Exit code: the policy may not be served, or the arguments make no sense."""
PORT_TAKEN = 3
"""Exit code: a port could not be bound."""


def run(settings: GatewaySettings) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code: 0, ``REFUSED`` or ``PORT_TAKEN``."""
    try:
        source = source_of(settings)
    except ValueError as error:
        log("bad_arguments", message=str(error))
        return REFUSED
    fingerprint = source.fingerprint()
    active = source.load(PolicyClock().now())
    if isinstance(active, Refused):
        log("policy_refused", code=active.code, message=active.message, file=active.file)
        return REFUSED

    async def serve() -> int:
        gateway = GatewayProcess(settings, source, active, fingerprint)
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        try:
            await gateway.start()
        except CannotListen as error:
            log("cannot_listen", message=str(error))
            return PORT_TAKEN
        # What exists now stays: the collector need not walk it again, nor run at every 700 objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
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


def _announce(gateway: GatewayProcess, settings: GatewaySettings) -> None:
    """Say where it listens: on stdout for people, in the ready file for a supervisor."""
    facts = gateway.ready_facts()
    log("serving", **facts, bundle=gateway.active.digest, stale=gateway.active.stale)
    if settings.ready_file is not None:
        partial = settings.ready_file.with_name(settings.ready_file.name + ".partial")
        partial.write_text(json.dumps(facts))
        os.replace(partial, settings.ready_file)
    sys.stdout.write(f"gateway on http://{settings.host}:{facts['port']}/v1")
    sys.stdout.write(f", admin on http://{settings.admin_host}:{facts['admin_port']}\n")
    sys.stdout.flush()
