"""Which rules hold between objects? Runs them all over one environment."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.rules import MODULES
from coordination.diagnostics import Diagnostic
from coordination.program.records import Micros


def check_catalogue(catalogue: Catalogue, at: Micros) -> Iterator[Diagnostic]:
    """Every diagnostic of every rule."""
    for module in MODULES:
        yield from module.check(catalogue, at)
