"""Which rules hold between objects? Runs them all over one environment."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.rules import ASKING, MODULES
from coordination.diagnostics import Diagnostic


def check_catalogue(catalogue: Catalogue, *, asking: bool = True) -> Iterator[Diagnostic]:
    """Every diagnostic of every rule; without ``asking``, nothing is put to the compiled policy."""
    sound = catalogue.policy_set.complete
    for module in MODULES:
        if module in ASKING or (module.NEEDS_WHOLE and not catalogue.policy_set.complete):
            continue
        for diagnostic in module.check(catalogue):
            sound = sound and diagnostic.severity != "error"
            yield diagnostic
    if sound and asking:
        for module in ASKING:
            yield from module.check(catalogue)
