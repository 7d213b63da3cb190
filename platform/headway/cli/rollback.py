"""``headway rollback``: have an earlier release's bundle run again, and see it acknowledged."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from headway.cli.remote.console import asking
from headway.cli.remote.options import (
    PATIENCE,
    EnvironmentName,
    Format,
    OutputFormat,
    Server,
    Token,
    Wait,
)
from headway.cli.remote.progress import await_gateways, sentence
from headway.cli.words import Option


def command(
    environment: EnvironmentName,
    server: Server = "",
    token: Token = "",
    to: Annotated[
        int | None, Option(min=1, help="Release to bring back; by default the last of another bundle.")
    ] = None,
    reason: Annotated[str, Option(help="Why, for the record.")] = "",
    wait: Wait = PATIENCE,
    output: Format = OutputFormat.text,
) -> None:
    """Roll back and wait until gateways acknowledge. Exit 0 done, 1 refused or late, 2 could not run.

    The directory stays as it is: a revoked key stays revoked.
    """
    with asking("rollback", server, token, environment) as console:
        before = console.get("status")
        newest = before["release"]["version"] if before["release"] else 0
        # Only from what runs now: two people who roll back at once do not undo each other.
        made = console.post("rollback", {"to_version": to, "reason": reason, "after": newest})
        version: int = made["version"]
        print(f"{environment}: release {version} brings release {made['rollback_of']} back", file=sys.stderr)

        def arrived(status: dict[str, Any]) -> bool:
            return bool(status["release"]["version"] >= version)

        if wait:
            status = await_gateways(console, wait=wait, before=before, arrived=arrived)
        else:
            status = console.get("status")
        if output is OutputFormat.json:
            print(json.dumps({"release": made, "status": status}, indent=2))
        else:
            print(f"{environment}: {sentence(status)}")
    raise SystemExit(0)
