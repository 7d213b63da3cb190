"""How does a policy set become a program? Reads as a table of contents.

load > resolve > check > lower > emit
"""

from __future__ import annotations

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.checking import check_catalogue
from coordination.compiler.expectations import outcomes
from coordination.compiler.origins import origins
from coordination.compiler.outcome import program_of, records_of
from coordination.compiler.selftest import self_test
from coordination.compiler.windows import HORIZON
from coordination.diagnostics import Diagnostic, Location, has_errors, in_reading_order
from coordination.program.records import Micros, ProgramRecords, Vector
from coordination.program.source_map import SourceMap
from coordination.spec import PolicySet

COMPILER = "headway/3"
"""Changes whenever the same documents would compile to other bytes."""


def build(
    policy_set: PolicySet,
    *,
    environment: str,
    at: Micros,
    horizon: Micros = HORIZON,
    compiler: str = COMPILER,  # noqa: ARG001 - names the build; only one compiler exists so far
) -> tuple[ProgramRecords | None, SourceMap, list[Vector], list[Diagnostic]]:
    """The program of an environment, or ``None`` when a diagnostic is an error.

    ``at`` is where the timeline begins and ``horizon`` how far it is looked at, in microseconds. The
    result depends on nothing else: not on the order of files, the machine or the hour.
    """
    catalogue = Catalogue(policy_set, environment, at, horizon)
    diagnostics = in_reading_order(check_catalogue(catalogue))
    if has_errors(diagnostics) or not policy_set.complete:
        return None, SourceMap(()), [], diagnostics
    records, program = catalogue.ask(records_of), catalogue.ask(program_of)
    authored = [outcome.vector for outcome in outcomes(catalogue)]
    return records, origins(catalogue, records), self_test(program, authored), diagnostics


def check(policy_set: PolicySet, at: Micros) -> list[Diagnostic]:
    """Every problem between objects, in each environment the documents name."""
    found: dict[tuple[str, str, Location | None], Diagnostic] = {}
    catalogue: Catalogue | None = None
    for environment in policy_set.environments or (None,):
        catalogue = Catalogue(policy_set, environment, at, earlier=catalogue)
        for diagnostic in check_catalogue(catalogue):
            found.setdefault((diagnostic.code, diagnostic.message, diagnostic.location), diagnostic)
    return in_reading_order(found.values())
