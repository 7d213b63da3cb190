"""Which files does a command send to the console, and how are the console's findings about them shown?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from coordination.diagnostics import Diagnostic, render_text
from coordination.spec import SourceFile
from headway.cli import check
from headway.cli.artefacts import CouldNotRun
from headway.cli.terminal import wants_colour


def policy_files(path: str) -> list[SourceFile]:
    """Those ``headway check`` would look at."""
    try:
        return check.load_files(path)
    except check.CouldNotRun as problem:
        raise CouldNotRun(str(problem)) from None


def as_sent(files: Sequence[SourceFile]) -> list[dict[str, str]]:
    """As ``plan`` and ``apply`` of the API take them."""
    sent = []
    for file in files:
        try:
            sent.append({"name": file.name, "text": file.text.decode("utf-8")})
        except UnicodeDecodeError:
            raise CouldNotRun(
                f"{file.name} is not UTF-8 text: `headway check {file.name}` shows where"
            ) from None
    return sent


def show_findings(found: Sequence[dict[str, Any]], files: Sequence[SourceFile]) -> None:
    """Each with the lines it speaks of, where they are ours; nothing when there is nothing to say."""
    if not found:
        return
    try:
        diagnostics = msgspec.convert(list(found), list[Diagnostic])
    except msgspec.ValidationError as error:
        raise CouldNotRun(f"the console's findings cannot be read: {error}") from None
    texts = {file.name: file.text.decode("utf-8", "replace") for file in files}
    print(render_text(diagnostics, texts, colour=wants_colour()), file=sys.stderr)
