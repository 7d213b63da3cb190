"""``headway diff``: what does one policy change in another, in words?"""

from __future__ import annotations

import enum
import json
from typing import Annotated

from coordination.plan import Compiled, Difference, diff, diff_programs, render_text
from headway.cli import check
from headway.cli.artefacts import CouldNotRun, reporting
from headway.cli.compared import Side, console_for, side_of
from headway.cli.terminal import wants_colour
from headway.cli.words import Argument, Option
from headway.cli.working import working

ENVIRONMENT = "dev"
"""What ``build`` builds for unless told otherwise."""


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"


def command(
    before: Annotated[
        str,
        Argument(
            metavar="A",
            help="What is: a file or folder of policy, a bundle, - for stdin, "
            "or of a console revision:N|DIGEST|current, release:N|current.",
        ),
    ],
    after: Annotated[str, Argument(metavar="B", help="What would be: the same choice.")],
    output: Annotated[OutputFormat, Option("--format", help="How to print.")] = OutputFormat.text,
    environment: Annotated[
        str, Option(help="As this environment sees both; the one whose revision is meant.")
    ] = "",
    at: Annotated[
        str, Option(help="Instant to look from, RFC 3339; by default today 00:00Z, or a bundle's own.")
    ] = "",
    server: Annotated[
        str, Option(envvar="HEADWAY_SERVER", help="URL of the console, for its revisions and releases.")
    ] = "",
    token: Annotated[
        str,
        Option(envvar="HEADWAY_TOKEN", help="Service token; better in the environment than here."),
    ] = "",
) -> None:
    """Say what B changes in A. Exit 0 no difference, 1 they differ, 2 could not run.

    With a bundle, both are compared as gateways read them; otherwise as their documents say.
    """
    with reporting("diff"):
        if before == after == "-":
            raise CouldNotRun("standard input can be one of the two only")
        with (
            console_for((before, after), "diff", server, token, environment) as console,
            working("comparing"),
        ):
            found = _difference([side_of(each, console) for each in (before, after)], environment, at)
    if output is OutputFormat.json:
        print(json.dumps(found.as_json(), indent=2, default=str))
    else:
        print(render_text(found, colour=wants_colour()), end="")
    raise SystemExit(1 if found.changes else 0)


def _difference(sides: list[Side], environment: str, at: str) -> Difference:
    try:
        instant = check.instant_of(at)
    except check.CouldNotRun as problem:
        raise CouldNotRun(str(problem)) from None
    bundles = [side for side in sides if isinstance(side, Compiled)]
    if not bundles:
        written = [side.policy_set for side in sides if not isinstance(side, Compiled)]
        return diff(written[0], written[1], environment=environment or None, at=instant)
    start = max(bundle.records.at for bundle in bundles)
    place = environment or bundles[0].records.environment
    compiled = [side if isinstance(side, Compiled) else side.compiled(place, start) for side in sides]
    return diff_programs(compiled[0], compiled[1], at=instant if at else None)
