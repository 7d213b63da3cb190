"""Which ports will be used, and are they free?"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from itertools import chain

from headway.up.options import LOOPBACK, REPLICAS, Options, Ports
from headway.up.trouble import CannotStart

BLOCKS = range(20_000, 32_000, 50)
"""Where a block of consecutive ports is looked for: below the range the kernel hands out."""


def preflight(options: Options, *, patience: float, sleep: Callable[[float], None] = time.sleep) -> Ports:
    """Resolve every 0 and make sure every port can be bound. ``CannotStart`` names each taken one.

    ``patience``: seconds to wait for taken ports, for the processes of a killed run are still ending.
    """
    deadline = time.monotonic() + patience
    while taken := _taken(options):
        if time.monotonic() >= deadline:
            raise CannotStart(
                "\n".join(
                    f"Port {port} ({what}) is taken. Choose another with {option} N (0 = any free port)."
                    for what, option, port in taken
                )
            )
        sleep(0.1)
    chosen = {options.port, options.gateway_port, options.admin_port} - {0}
    resolved = {}
    for name, port in (
        ("console", options.port),
        ("gateway", options.gateway_port),
        ("admin", options.admin_port),
    ):
        resolved[name] = port or _any_port(avoid=chosen)
        chosen.add(resolved[name])
    return Ports(**resolved, fleet=options.fleet_port or _any_block(avoid=chosen))


def _taken(options: Options) -> list[tuple[str, str, int]]:
    """(what for, option, port) of the first port of each option that is taken, or asked for twice."""
    asked = [
        ("console", "--port", options.port),
        ("gateway", "--gateway-port", options.gateway_port),
        ("gateway admin", "--admin-port", options.admin_port),
    ]
    if options.demo and options.fleet_port:
        asked += [
            (f"simulated replica {index + 1} of {REPLICAS}", "--fleet-port", options.fleet_port + index)
            for index in range(REPLICAS)
        ]
    given = [port for _, _, port in asked if port]
    by_option: dict[str, tuple[str, str, int]] = {}
    for row in asked:
        _, option, port = row
        if port and (given.count(port) > 1 or not is_free(port)):
            by_option.setdefault(option, row)
    return list(by_option.values())


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as refusal:
            if refusal.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def _any_port(*, avoid: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port not in avoid:
            return port


def _any_block(*, avoid: set[int]) -> int:
    # Two starts at once look in different places first.
    offset = os.getpid() % len(BLOCKS)
    for base in chain(BLOCKS[offset:], BLOCKS[:offset]):
        block = range(base, base + REPLICAS)
        if not avoid.intersection(block) and all(map(is_free, block)):
            return base
    raise CannotStart(
        f"No {REPLICAS} consecutive free ports for the simulated replicas; give --fleet-port N."
    )
