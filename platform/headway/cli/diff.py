"""``headway diff``: what does one policy set change in another, in words?"""

from __future__ import annotations

import enum
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from coordination.diagnostics import has_errors, render_text
from coordination.plan import diff
from coordination.plan import render_text as render_difference
from coordination.spec import PolicySet, read
from headway.cli import check
from headway.cli.artefacts import CouldNotRun, reporting
from headway.cli.terminal import wants_colour

TAR_MAGIC = (257, b"ustar")


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"


def command(
    before: Annotated[str, typer.Argument(metavar="A", help="A file or a folder of policy: what is.")],
    after: Annotated[str, typer.Argument(metavar="B", help="A file or a folder of policy: what would be.")],
    output: Annotated[OutputFormat, typer.Option("--format", help="How to print.")] = OutputFormat.text,
    environment: Annotated[str, typer.Option(help="As this environment sees both.")] = "",
    at: Annotated[str, typer.Option(help="Instant to look from, RFC 3339; by default today 00:00Z.")] = "",
) -> None:
    """Say what B changes in A. Exit 0 no difference, 1 they differ, 2 could not run."""
    with reporting("diff"):
        try:
            instant = check.instant_of(at)
            sets = [_policy(path) for path in (before, after)]
        except check.CouldNotRun as problem:
            raise CouldNotRun(str(problem)) from None
    found = diff(sets[0], sets[1], environment=environment or None, at=instant)
    if output is OutputFormat.json:
        print(json.dumps(found.as_json(), indent=2, default=str))
    else:
        print(render_difference(found, colour=wants_colour()), end="")
    raise typer.Exit(1 if found.changes else 0)


def _policy(path: str) -> PolicySet:
    """What was read; documents that cannot be understood end the command."""
    _refuse_bundle(path)
    policy_set, misread = read(check.load_files(path))
    if has_errors(misread):
        print(render_text(misread, policy_set.texts, colour=False), end="", file=sys.stderr)
        raise CouldNotRun(f"{path} cannot be read as policy")
    return policy_set


def _refuse_bundle(path: str) -> None:
    """A bundle holds the compiled form, whose names the documents do not survive."""
    place = Path(path)
    offset, magic = TAR_MAGIC
    if place.is_file():
        with place.open("rb") as file:
            file.seek(offset)
            if file.read(len(magic)) == magic:
                raise CouldNotRun(f"{path} is a bundle: compare the folders they were built from")
