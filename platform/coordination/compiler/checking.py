"""Which rules hold between objects? Runs them all over one environment."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.rules import MODULES
from coordination.diagnostics import Diagnostic


def check_catalogue(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Every diagnostic of every rule."""
    for module in MODULES:
        if module.NEEDS_WHOLE and not catalogue.policy_set.complete:
            continue
        yield from module.check(catalogue)
