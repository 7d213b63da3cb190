"""Which program do these documents make? No Django here: large policies are compiled in another process."""

from __future__ import annotations

from collections.abc import Sequence

from coordination.compiler import build
from coordination.diagnostics import Diagnostic, in_reading_order
from coordination.program.records import Micros, ProgramRecords
from coordination.spec import SourceFile, read


def compile_bodies(
    bodies: Sequence[bytes], environment: str, at: Micros
) -> tuple[ProgramRecords | None, list[Diagnostic]]:
    """The program of documents given as canonical JSON; None when a diagnostic is an error."""
    return compile_files([SourceFile(f"{n:07}.json", body) for n, body in enumerate(bodies)], environment, at)


def compile_files(
    files: Sequence[SourceFile], environment: str, at: Micros
) -> tuple[ProgramRecords | None, list[Diagnostic]]:
    """The same for files as somebody wrote them."""
    policy_set, misread = read(files)
    records, _, _, diagnostics = build(policy_set, environment=environment, at=at)
    return records, in_reading_order([*misread, *diagnostics])
