"""``headway plan``: what would it take to have these files current in an environment, and does it hold?"""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from headway.cli.remote.console import REFUSED, asking
from headway.cli.remote.files import as_sent, policy_files, show_findings
from headway.cli.remote.options import EnvironmentName, Format, OutputFormat, Server, Token
from headway.cli.remote.progress import short
from headway.cli.words import Argument, Option

MOST = 12
"""Tenants that are named."""
SIGNS = {"create": "+", "update": "~", "delete": "-"}


def command(
    path: Annotated[str, Argument(help="A file, a folder of .yaml/.yml/.json files, or - for stdin.")],
    environment: EnvironmentName,
    server: Server = "",
    token: Token = "",
    prune: Annotated[bool, Option("--prune", help="Delete what no file holds.")] = False,
    output: Format = OutputFormat.text,
) -> None:
    """Plan: what a console would do with these files. Exit 0 sound, 1 mistakes, 2 could not run.

    Nothing is changed. `headway apply --plan-digest` does exactly what was shown, or nothing.
    """
    with asking("plan", server, token, environment) as console:
        files = policy_files(path)
        planned = console.post("plan", {"files": as_sent(files), "prune": prune})
        if output is OutputFormat.json:
            print(json.dumps(planned, indent=2))
        else:
            show_findings(planned["diagnostics"], files)
            print("\n".join(lines(planned)))
            if planned["ok"] and planned["operations"]:
                print(f"\nto do it: {_apply(path, console.server, planned, prune=prune)}")
            if not planned["ok"]:
                print("headway plan: it cannot be applied as it is", file=sys.stderr)
    raise SystemExit(0 if planned["ok"] else REFUSED)


def lines(planned: dict[str, Any]) -> Iterator[str]:
    """The plan for people: what becomes of which object and what that means, whom it reaches, its name."""
    difference = planned.get("difference") or {"changes": [], "impact": {}}
    meant: dict[tuple[str, str], list[str]] = {}
    for change in difference["changes"]:
        said = f"{change['sentence']} ({change['category'].replace('_', ' ')})"
        meant.setdefault((change["kind"], change["name"]), []).append(said)
    base = f"revision {short(planned['base'])}" if planned["base"] else "no revision yet"
    yield f"{planned['environment']}, at {base}: {_summary(planned['operations'])}"
    for operation in planned["operations"]:
        yield f"  {SIGNS[operation['action']]} {operation['kind']} {operation['name']}"
        yield from (f"      {said}" for said in meant.get((operation["kind"], operation["name"]), ()))
    if tenants := difference["impact"].get("tenants"):
        yield f"tenants reached: {', '.join(tenants[:MOST])}{' and more' if len(tenants) > MOST else ''}"
    yield f"plan {planned['plan_digest']}"


def _summary(operations: list[dict[str, Any]]) -> str:
    counts = Counter(operation["action"] for operation in operations)
    said = [f"{counts[action]} to {action}" for action in SIGNS if counts[action]]
    return ", ".join(said) or "nothing to do"


def _apply(path: str, server: str, planned: dict[str, Any], *, prune: bool) -> str:
    words = ["headway", "apply", path, "--server", server, "--environment", planned["environment"]]
    words += ["--prune"] if prune else []
    return shlex.join([*words, "--plan-digest", planned["plan_digest"]])
