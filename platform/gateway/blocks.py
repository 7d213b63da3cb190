"""Whose requests are refused because of an override, and in which words?"""

from __future__ import annotations

from collections.abc import Mapping

from coordination.bundle.directory import KeyFacts
from coordination.bundle.overrides import Override
from gateway.errors import Problem


class Blocks:
    """Who is not served: tenants with all below them, and keys; each with why."""

    def __init__(self, tenants: Mapping[str, str], keys: Mapping[str, str]) -> None:
        self.tenants = tenants
        self.keys = keys
        self._below = tuple([(f"{path}/", one) for path, one in tenants.items()])

    def problem(self, sender: KeyFacts) -> Problem | None:
        """Why this sender is refused, if it is."""
        found = self.keys.get(sender.key_id)
        if found is not None:
            return Problem("key_blocked", f"This API key is blocked: {found}.")
        found = self.tenants.get(sender.tenant)
        if found is None:
            found = next((one for path, one in self._below if sender.tenant.startswith(path)), None)
        return None if found is None else Problem("tenant_blocked", f"This account is blocked: {found}.")


def why(override: Override) -> str:
    """As refusals and explanations name it."""
    return f"{override.id} ({override.reason})"
