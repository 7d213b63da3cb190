"""Which rules hold between objects? Runs them all over one environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import RuleModule
from coordination.compiler.rules import ASKING, MODULES
from coordination.diagnostics import Diagnostic
from coordination.program.records import Micros
from coordination.spec import PolicySet


class Checked(NamedTuple):
    """A policy as it was checked in one environment."""

    catalogue: Catalogue
    """With all that was found on the way, for the check of a similar policy to begin from."""
    diagnostics: tuple[Diagnostic, ...]

    def is_of(self, environment: str | None, at: Micros) -> bool:
        """Whether it was checked there, at that instant."""
        return (self.catalogue.environment, self.catalogue.at) == (environment, at)


def checked(
    policy_set: PolicySet, environment: str | None, at: Micros, earlier: Checked | None = None
) -> Checked:
    """The check of a policy; what is the same in an ``earlier`` one is not worked out again.

    The diagnostics are those of a check from nothing, in the same order, whatever the earlier policy was.
    """
    catalogue = Catalogue(policy_set, environment, at, earlier=earlier.catalogue if earlier else None)
    return Checked(catalogue, tuple(check_catalogue(catalogue)))


def check_catalogue(catalogue: Catalogue, *, asking: bool = True) -> Iterator[Diagnostic]:
    """Every diagnostic of every rule; without ``asking``, nothing is put to the compiled policy.

    A rule is a question to the catalogue: of a catalogue that was made from an earlier one, only the rules
    are run that look at something which has changed.
    """
    sound = complete = catalogue.complete
    for module in MODULES:
        if module in ASKING or (module.NEEDS_WHOLE and not complete):
            continue
        for diagnostic in catalogue.ask(_findings, module):
            sound = sound and diagnostic.severity != "error"
            yield diagnostic
    if sound and asking:
        for module in ASKING:
            yield from catalogue.ask(_findings, module)


def _findings(catalogue: Catalogue, module: RuleModule) -> tuple[Diagnostic, ...]:
    return tuple(module.check(catalogue))
