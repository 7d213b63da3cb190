"""``headway credit``: more of a limit for the period at hand, or all of it again."""

from __future__ import annotations

import json
from typing import Annotated

from headway.cli.artefacts import CouldNotRun
from headway.cli.remote.console import asking
from headway.cli.remote.options import EnvironmentName, Format, OutputFormat, Server, Token
from headway.cli.words import Argument, Option


def command(
    limit: Annotated[str, Argument(help="The limit, as QUOTA:OF:PER (acme:total_tokens:1m).")],
    environment: EnvironmentName,
    reason: Annotated[str, Option(help="Why, for the record.")],
    amount: Annotated[
        int | None, Option(min=1, help="How much more: requests, tokens, or thousand-millionths of money.")
    ] = None,
    reset: Annotated[bool, Option("--reset", help="All of it again.")] = False,
    server: Server = "",
    token: Token = "",
    output: Format = OutputFormat.text,
) -> None:
    """Give more of a limit, once, or all of it again. Exit 0 given, 1 refused, 2 could not run.

    In a period at most the limit itself once more; what is to last is a change of the policy.
    """
    with asking("credit", server, token, environment) as console:
        parts = limit.split(":")
        if len(parts) != 3:
            raise CouldNotRun(f"{limit}: not of the form QUOTA:OF:PER")
        if (amount is None) is not reset:
            raise CouldNotRun("give either --amount or --reset")
        quota, of, per = parts
        asked = {"quota": quota, "of": of, "per": per, "amount": amount, "reason": reason}
        made = console.post("credits", asked)
    if output is OutputFormat.json:
        print(json.dumps(made, indent=2))
    else:
        what = "all of it again" if amount is None else f"{amount} more"
        print(f"{environment}: {what} of {limit} for {made['tenant']} ({made['id']})")
    raise SystemExit(0)
