"""``headway fmt``: policies in their canonical form, comments kept."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Annotated

from coordination.diagnostics import render_text
from coordination.spec import SourceFile, read
from coordination.spec.tidying import NotFormattableError, tidy
from headway.cli import check
from headway.cli.artefacts import CouldNotRun, reporting, write_file
from headway.cli.words import Argument, Option


def command(
    path: Annotated[str, Argument(help="A file, a folder of .yaml/.yml/.json files, or - for stdin.")],
    only_check: Annotated[bool, Option("--check", help="Change nothing; exit 1 if it would.")] = False,
) -> None:
    """Write policies in canonical form, comments kept. Exit 0 done, 1 mistakes (or changes, with --check)."""
    with reporting("fmt"):
        try:
            files = check.load_files(path)
        except check.CouldNotRun as problem:
            raise CouldNotRun(str(problem)) from None
        changed, broken = _format(files, only_check=only_check)
    if path != "-":
        verb = "would be formatted" if only_check else "formatted"
        print(f"{changed} {verb}, {len(files) - changed - broken} already were", file=sys.stderr)
    raise SystemExit(1 if broken or (only_check and changed) else 0)


def _format(files: list[SourceFile], *, only_check: bool) -> tuple[int, int]:
    """How many files were (or would be) changed, and how many cannot be read."""
    changed = broken = 0
    for file in files:
        try:
            written = tidy(file)
        except NotFormattableError as problem:
            broken += 1
            _explain(file, problem)
            continue
        if file.name == "<stdin>" and not only_check:
            sys.stdout.buffer.write(written)
        if written != file.text:
            changed += 1
            if only_check:
                print(f"would format {file.name}")
            elif file.name != "<stdin>":
                target = Path(file.name)
                write_file(target, written, mode=stat.S_IMODE(target.stat().st_mode))
                print(f"formatted {file.name}")
    return changed, broken


def _explain(file: SourceFile, problem: NotFormattableError) -> None:
    policy_set, diagnostics = read([file])
    errors = [d for d in diagnostics if d.code in ("SPEC001", "SPEC002", "SPEC003", "SPEC004", "SPEC015")]
    if errors:
        print(render_text(errors, policy_set.texts, colour=False), end="", file=sys.stderr)
    else:
        print(f"headway fmt: {file.name}: {problem}", file=sys.stderr)
