"""How does a machine read diagnostics? The JSON of ``headway check --format json``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from coordination.diagnostics.values import Diagnostic, count


class Report(msgspec.Struct, frozen=True):
    ok: bool
    diagnostics: list[Diagnostic]
    summary: dict[str, int]


def render_json(diagnostics: Sequence[Diagnostic], *, ok: bool) -> str:
    """One JSON object: ``ok``, every diagnostic, and how many there are of each severity."""
    summary: dict[str, int] = {str(k): n for k, n in count(diagnostics).items()}
    report = Report(ok, list(diagnostics), summary)
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
