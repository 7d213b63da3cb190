"""``headway audit``: does the record of who did what still hold?"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from foundation.audit.chain import Anchor

BROKEN, COULD_NOT_RUN = 1, 2
_ANCHOR = re.compile(r"([1-9][0-9]{0,17}):(sha256:[0-9a-f]{64})\Z")
SHOWN = 20

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="The record of who did what."
)


@app.callback()
def root() -> None:
    """The record of who did what."""


@app.command()
def verify(
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="SEQ:DIGEST noted earlier, away from the database. May be given several times."),
    ] = None,
) -> None:
    """Walk the whole hash chain. Exit 0 unbroken, 1 broken, 2 could not run."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headway.settings.base")
    import django
    from django.db import Error

    django.setup()
    from foundation import audit

    try:
        proof = audit.verify([_parse(text) for text in anchor or ()])
    except (Error, ValueError) as error:
        print(f"headway audit verify: {error}", file=sys.stderr)
        raise typer.Exit(COULD_NOT_RUN) from None
    if proof.holds:
        end = f"; the newest is {proof.end.seq}:{proof.end.digest}" if proof.entries else ""
        print(f"{proof.entries} entries, unbroken{end}")
        return
    for found in proof.breaks[:SHOWN]:
        print(f"entry {found.seq}: {found.problem}")
    print(f"{len(proof.breaks)} breaks in {proof.entries} entries")
    raise typer.Exit(BROKEN)


def _parse(text: str) -> Anchor:
    from foundation.audit.chain import Anchor

    match = _ANCHOR.match(text)
    if match is None:
        raise ValueError(f"--anchor {text!r} is not SEQ:sha256:<64 hex digits>, as a verification prints it")
    return Anchor(int(match[1]), match[2])
