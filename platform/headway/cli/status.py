"""``headway status``: what should an environment run, and what do its gateways run?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from headway.cli.remote.console import REFUSED, asking
from headway.cli.remote.options import EnvironmentName, Format, OutputFormat, Server, Token
from headway.cli.remote.progress import gateways_of, sentence, short

COLUMNS = ("gateway", "ring", "state", "release", "bundle", "in step", "last heard")


def command(
    environment: EnvironmentName,
    server: Server = "",
    token: Token = "",
    output: Format = OutputFormat.text,
) -> None:
    """What should run, and what does. Exit 0 every gateway in step, 1 not, 2 could not run."""
    with asking("status", server, token, environment) as console:
        status = console.get("status")
    if output is OutputFormat.json:
        print(json.dumps(status, indent=2))
    else:
        print("\n".join(lines(status)))
    raise SystemExit(0 if status["in_step"] else REFUSED)


def lines(status: dict[str, Any]) -> Iterator[str]:
    """The status for people."""
    yield f"{status['environment']}, {sentence(status)}"
    yield f"policy   revision {short(status['revision'])}, built as {short(status['bundle'])}"
    if release := status["release"]:
        why = f": {release['reason']}" if release["reason"] else ""
        yield f"release  {release['version']} of bundle {short(release['bundle'])}, {release['state']}{why}"
    if status["timeline_alarm"]:
        day = status["timeline_ends"][:10]
        yield f"ALARM    no build has moved the timeline on for a week: what recurs stops on {day}"
    gateways = gateways_of(status)
    if not gateways:
        return
    rows = [COLUMNS, *(_row(gateway) for gateway in gateways)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    yield ""
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for gateway in gateways:
        if gateway["error"]:
            error = gateway["error"]
            yield f"{gateway['name']}: {error['code']}: {error['message']}"


def _row(gateway: dict[str, Any]) -> tuple[str, ...]:
    age = gateway["age_seconds"]
    return (
        gateway["name"],
        gateway["ring"],
        gateway["state"],
        str(gateway["version"] or "-"),
        short(gateway["applied"]),
        "yes" if gateway["in_step"] else "no",
        "never" if age is None else f"{age:.1f} s ago" + (", silent" if gateway["silent"] else ""),
    )
