"""``headway inspect``: what a bundle holds. Says nothing of who signed it: that is ``verify``."""

from __future__ import annotations

import enum
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec

from coordination.bundle.pack import Contents, unpack
from coordination.bundle.refusals import RefusedError
from coordination.program.records import ProgramRecords
from coordination.program.shards import (
    KIND_FIELDS,
    PROGRAM,
    SELF_TESTS,
    MalformedProgramError,
    decode,
    decode_vectors,
)
from coordination.program.timeline import recurrences_end
from headway.cli.artefacts import iso, read_file, reporting
from headway.cli.words import Argument, Option


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"


def command(
    file: Annotated[Path, Argument(help="A bundle, or - for stdin.")],
    output: Annotated[OutputFormat, Option("--format", help="How to print.")] = OutputFormat.text,
) -> None:
    """Show what a bundle holds. Exit 0 shown, 1 not a sound bundle, 2 could not run."""
    with reporting("inspect"):
        data = read_file(file)
    try:
        contents = unpack(data)
        records = decode(contents.under(PROGRAM))
        tests = len(decode_vectors(contents.under(SELF_TESTS)))
    except (RefusedError, MalformedProgramError) as error:
        print(f"headway inspect: {file}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    facts = _facts(contents, records, tests, size=len(data))
    print(json.dumps(facts, indent=2) if output is OutputFormat.json else _text(facts, records))


def _facts(contents: Contents, records: ProgramRecords, tests: int, *, size: int) -> dict[str, Any]:
    manifest = msgspec.to_builtins(contents.manifest)
    return {
        "digest": contents.digest,
        "size": size,
        **{field: value for field, value in manifest.items() if field != "files"},
        "at": iso(records.at),
        "recurrences_end": iso(end) if (end := recurrences_end(records)) is not None else None,
        "objects": {kind: len(getattr(records, field)) for kind, field in KIND_FIELDS.items()},
        "selftests": tests,
        "files": manifest["files"],
    }


def _text(facts: dict[str, Any], records: ProgramRecords) -> str:
    lines = [
        f"digest       {facts['digest']}",
        f"environment  {facts['environment']}",
        f"at           {facts['at']}",
        f"recurs       {_until(facts['recurrences_end'])}",
        f"compiler     {facts['compiler']} (tzdata {facts['tzdata']}, format {facts['format_version']})",
        f"root tree    {facts['root_tree']}",
        f"needs        {', '.join(facts['must_understand']) or 'nothing beyond the format'}",
        f"size         {facts['size']} bytes in {len(facts['files']) + 1} files",
        f"self-tests   {facts['selftests']}",
        "",
    ]
    for kind, field in KIND_FIELDS.items():
        names = [record.name for record in getattr(records, field)]
        shown = ", ".join(names[:6]) + (f", and {len(names) - 6} more" if len(names) > 6 else "")
        lines.append(f"{kind:<12} {len(names):>6}  {shown}".rstrip())
    lines.append("")
    lines += [f"{entry['size']:>8}  {entry['sha256'][7:19]}  {entry['path']}" for entry in facts["files"]]
    return "\n".join(lines)


def _until(end: str | None) -> str:
    return "nothing does" if end is None else f"until {end}, unless a later build comes"
