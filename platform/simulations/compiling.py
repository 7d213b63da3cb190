"""Which program do these documents make, and what do they promise? No Django here: large policies are
compiled in another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordination.compiler import build
from coordination.compiler.catalogue import Catalogue
from coordination.diagnostics import Diagnostic, in_reading_order
from coordination.program.records import Micros, ProgramRecords
from coordination.simulator import Promise, gates_of, objectives_of
from coordination.spec import SourceFile, read


@dataclass(frozen=True, slots=True)
class Compiled:
    """What came of it: no program where a diagnostic is an error, and then no promises."""

    records: ProgramRecords | None
    found: tuple[Diagnostic, ...]
    objectives: tuple[Promise, ...] = ()
    """What tiers promise, all of it: a program carries what gateways count."""
    gates: tuple[Promise, ...] = ()
    """Of expectations; a program carries none."""


def compile_bodies(bodies: Sequence[bytes], environment: str, at: Micros) -> Compiled:
    """Of documents given as canonical JSON."""
    return compile_files([SourceFile(f"{n:07}.json", body) for n, body in enumerate(bodies)], environment, at)


def compile_files(files: Sequence[SourceFile], environment: str, at: Micros) -> Compiled:
    """The same for files as somebody wrote them."""
    policy_set, misread = read(files)
    records, _, _, diagnostics = build(policy_set, environment=environment, at=at)
    found = tuple(in_reading_order([*misread, *diagnostics]))
    if records is None:
        return Compiled(None, found)
    catalogue = Catalogue(policy_set, environment, at)
    return Compiled(records, found, objectives_of(catalogue), gates_of(catalogue))
