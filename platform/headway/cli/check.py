"""``headway check``: is this policy sound, and if not, where exactly and why?"""

from __future__ import annotations

import enum
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from coordination.compiler import check as check_policy
from coordination.compiler import rules as compiler_rules
from coordination.diagnostics import (
    Diagnostic,
    count,
    in_reading_order,
    render_github,
    render_json,
    render_sarif,
    render_text,
)
from coordination.spec import PolicySet, SourceFile, read
from coordination.spec import rules as spec_rules
from coordination.spec.finding import Misread
from coordination.spec.quantities import read_instant
from coordination.spec.source.text import LARGEST_FILE
from headway.cli.artefacts import DOCUMENTS
from headway.cli.mending import mend_files, replace_file
from headway.cli.terminal import wants_colour
from headway.cli.words import Argument, Option
from headway.cli.working import working

COULD_NOT_RUN = 2
DAY_US = 86_400_000_000


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


class CouldNotRun(Exception):
    """The path or an option makes no sense; exit 2."""


def command(
    path: Annotated[str, Argument(help="A file, a folder of .yaml/.yml/.json files, or - for stdin.")],
    output: Annotated[OutputFormat, Option("--format", help="How to print.")] = OutputFormat.text,
    at: Annotated[str, Option(help="Instant to check at, RFC 3339; by default today 00:00Z.")] = "",
    strict: Annotated[bool, Option("--strict", help="Warnings fail the check too.")] = False,
    fix: Annotated[bool, Option("--fix", help="First apply the fixes that keep your meaning.")] = False,
) -> None:
    """Check a policy set: every mistake, with its place. Exit 0 clean, 1 mistakes, 2 could not run."""
    try:
        instant = instant_of(at)
        files = load_files(path)
        if fix:
            files = mended(path, files, instant)
    except CouldNotRun as problem:
        print(f"headway check: {problem}", file=sys.stderr)
        raise SystemExit(COULD_NOT_RUN) from None
    with working(f"checking {counted(len(files), 'file')}"):
        policy_set, diagnostics = diagnose(files, instant)
    ok = is_ok(diagnostics, strict=strict)
    print(rendered(output, diagnostics, policy_set, ok=ok), end="")
    if output is OutputFormat.text and not diagnostics:
        print(f"{counted(len(policy_set.documents), 'object')} in {counted(len(files), 'file')}")
    raise SystemExit(0 if ok else 1)


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def diagnose(files: list[SourceFile], instant: int) -> tuple[PolicySet, list[Diagnostic]]:
    """What was read, and everything that is wrong with it, in reading order."""
    policy_set, diagnostics = read(files)
    return policy_set, in_reading_order([*diagnostics, *check_policy(policy_set, instant)])


def mended(path: str, files: list[SourceFile], instant: int) -> list[SourceFile]:
    """The files after every safe fix, written back; what was done goes to stderr."""
    if path == "-":
        raise CouldNotRun("--fix changes files; it cannot change standard input")
    outcome = mend_files(files, lambda held: diagnose(held, instant)[1])
    places = {shown(place): place for place in paths_of(path)}
    for file in outcome.files:
        if file.name in outcome.changed:
            try:
                replace_file(places[file.name], file.text)
            except OSError as error:
                raise CouldNotRun(f"{file.name}: {(error.strerror or str(error)).lower()}") from None
    if outcome.applied:
        print(
            f"mended {counted(outcome.applied, 'problem')} in {', '.join(sorted(outcome.changed))}",
            file=sys.stderr,
        )
    return outcome.files


def rendered(
    output: OutputFormat, diagnostics: Sequence[Diagnostic], policy_set: PolicySet, *, ok: bool
) -> str:
    """The findings in one of the formats, ending in a line break."""
    match output:
        case OutputFormat.json:
            return render_json(diagnostics, ok=ok) + "\n"
        case OutputFormat.sarif:
            from importlib import metadata  # here, for SARIF alone needs its 10 ms

            rules = [m.RULE for m in spec_rules.MODULES] + [m.RULE for m in compiler_rules.MODULES]
            return render_sarif(diagnostics, rules, version=metadata.version("headway")) + "\n"
        case OutputFormat.github:
            return render_github(diagnostics)
        case OutputFormat.text:
            return render_text(diagnostics, policy_set.texts, colour=wants_colour())


def is_ok(diagnostics: list[Diagnostic], *, strict: bool) -> bool:
    counts = count(diagnostics)
    return not counts["error"] and not (strict and counts["warning"])


def instant_of(at: str) -> int:
    """Microseconds since 1970; today's first instant when nothing is given."""
    if not at:
        now = int(datetime.now(UTC).timestamp()) * 1_000_000
        return now - now % DAY_US
    try:
        return read_instant(at)
    except Misread as misread:
        raise CouldNotRun(f"--at {at}: {misread.message}") from None


def load_files(path: str) -> list[SourceFile]:
    """The policy files of a path: itself, or those below a folder (hidden ones left out)."""
    if path == "-":
        return [SourceFile("<stdin>", sys.stdin.buffer.read(LARGEST_FILE + 1))]
    try:
        return [load_file(place) for place in paths_of(path)]
    except OSError as error:
        raise CouldNotRun(f"{error.filename or path}: {(error.strerror or str(error)).lower()}") from None


def paths_of(path: str) -> list[Path]:
    """A file itself, or the policy files of a folder."""
    root = Path(path)
    if not root.is_dir():
        return [root]
    found = sorted(p for p in root.rglob("*") if p.suffix in DOCUMENTS and is_shown(p, root))
    if not found:
        raise CouldNotRun(f"{path} holds no .yaml, .yml or .json file")
    return [place for place in found if place.is_file()]


def load_file(path: Path) -> SourceFile:
    """A file's bytes, and one more than the reader takes when it is too large."""
    with path.open("rb") as file:
        return SourceFile(shown(path), file.read(LARGEST_FILE + 1))


def shown(path: Path) -> str:
    """A path as text that can be printed, whatever bytes a file system has in it."""
    return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def is_shown(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)
