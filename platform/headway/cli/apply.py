"""``headway apply``: do what was planned, and see it acknowledged by the gateways."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from headway.cli.plan import lines
from headway.cli.remote.console import RefusedByConsole, asking
from headway.cli.remote.files import as_sent, policy_files, show_findings
from headway.cli.remote.options import (
    PATIENCE,
    EnvironmentName,
    Format,
    OutputFormat,
    Server,
    Token,
    Wait,
)
from headway.cli.remote.progress import await_gateways, sentence, short
from headway.cli.words import Argument, Option


def command(
    path: Annotated[str, Argument(help="The path that was planned.")],
    environment: EnvironmentName,
    plan_digest: Annotated[str, Option(help="Digest the plan was shown with.")],
    server: Server = "",
    token: Token = "",
    prune: Annotated[bool, Option("--prune", help="As it was planned.")] = False,
    reason: Annotated[str, Option(help="Why, for the record.")] = "",
    wait: Wait = PATIENCE,
    output: Format = OutputFormat.text,
) -> None:
    """Apply a plan and wait until gateways acknowledge. Exit 0 done, 1 refused or late, 2 could not run.

    Does exactly what `headway plan` showed: once the environment or the files have moved on, it does nothing.
    """
    with asking("apply", server, token, environment) as console:
        files = policy_files(path)
        before = console.get("status")
        order = {"files": as_sent(files), "prune": prune, "plan_digest": plan_digest, "reason": reason}
        try:
            revision = console.post("apply", order)["revision"]
        except RefusedByConsole as refused:
            _tell(refused, files)
            raise
        moved = revision is not None and revision["digest"] != before["revision"]
        if moved:
            said = f"merged as revision {revision['number']}, {short(revision['digest'])}"
        else:
            said = "there was nothing to do"
        print(f"{environment}: {said}", file=sys.stderr)
        if moved and wait:
            status = await_gateways(console, wait=wait, before=before, arrived=_runs_what_is_current)
        else:
            status = console.get("status")
        if output is OutputFormat.json:
            print(json.dumps({"revision": revision, "status": status}, indent=2))
        else:
            print(f"{environment}: {said}; {sentence(status)}")
    raise SystemExit(0)


def _runs_what_is_current(status: dict[str, Any]) -> bool:
    """The newest release runs what was merged last: ours, or what somebody merged on top of it."""
    release = status["release"]
    return release is not None and status["bundle"] is not None and release["bundle"] == status["bundle"]


def _tell(refused: RefusedByConsole, files: Any) -> None:
    """Before the refusal itself: the findings in full, or what the plan would be by now."""
    if refused.code == "base_moved" and "plan" in refused.problem:
        print("by now, the plan would be:", file=sys.stderr)
        for line in lines(refused.problem["plan"]):
            print(f"  {line}", file=sys.stderr)
        return
    show_findings(refused.problem.get("diagnostics") or [], files)
