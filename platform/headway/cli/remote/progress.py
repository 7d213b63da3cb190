"""How far has a release come, in words; and has every gateway acknowledged what we asked for?"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from headway.cli.remote.console import REFUSED, Console

PAUSE = 0.1
SHOWN = 19
"""Characters of a digest that tell it from others: ``sha256:`` and twelve digits."""
Arrived = Callable[[dict[str, Any]], bool]


def short(digest: str | None) -> str:
    return digest[:SHOWN] if digest else "-"


def gateways_of(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [gateway for ring in status["rings"] for gateway in ring["gateways"]]


def sentence(status: dict[str, Any]) -> str:
    """The state of the environment in a line."""
    release = status["release"]
    if release is None:
        return "nothing was released yet"
    gateways = gateways_of(status)
    there = sum(1 for gateway in gateways if gateway["in_step"])
    back = f", which brings release {release['rollback_of']} back" if release["rollback_of"] else ""
    if not gateways:
        return f"release {release['version']}{back}: no gateway is enrolled"
    return f"release {release['version']}{back}: {there} of {len(gateways)} gateways have acknowledged"


def refusals(status: dict[str, Any], version: int) -> list[str]:
    """What gateways say against a release, one line each."""
    return [
        f"{gateway['name']} refuses: {gateway['error']['code']}: {gateway['error']['message']}"
        for gateway in gateways_of(status)
        if gateway["error"] and gateway["state"] == "rejected" and gateway["version"] == version
    ]


def await_gateways(
    console: Console, *, wait: float, arrived: Arrived, before: dict[str, Any]
) -> dict[str, Any]:
    """The status once ``arrived`` and every gateway in step; each step is told on stderr as it happens.

    Ends the command with 1 when a gateway refuses what came after ``before``, or patience runs out.
    """
    deadline = time.monotonic() + wait
    seen = before["release"]["version"] if before["release"] else 0
    told = ""
    while True:
        status = console.get("status")
        there, release = arrived(status), status["release"]
        line = sentence(status) if there else "built and released next"
        if line != told:
            print(f"  {line}", file=sys.stderr)
            told = line
        if there and status["in_step"]:
            return status
        if release and release["version"] > seen and (against := refusals(status, release["version"])):
            _end(f"release {release['version']} is refused", against)
        if time.monotonic() >= deadline:
            _end(f"not acknowledged by everybody within {wait:g} s: `headway status` tells more", [])
        time.sleep(PAUSE)


def _end(what: str, lines: list[str]) -> None:
    print(f"headway: {what}", file=sys.stderr)
    for line in lines:
        print(f"  {line}", file=sys.stderr)
    raise SystemExit(REFUSED)
