"""Which options do all commands that ask a console share?"""

from __future__ import annotations

import enum
from typing import Annotated

from headway.cli.words import Option

Server = Annotated[str, Option(envvar="HEADWAY_SERVER", help="URL of the console.")]
Token = Annotated[
    str,
    Option(envvar="HEADWAY_TOKEN", help="Service token; in the environment rather than on the command line."),
]
EnvironmentName = Annotated[str, Option(help="The environment that is meant.")]
Wait = Annotated[
    float, Option(min=0, help="Seconds to wait for every gateway's acknowledgement; 0 does not wait.")
]
PATIENCE = 60.0


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"


Format = Annotated[OutputFormat, Option("--format", help="How to print.")]
