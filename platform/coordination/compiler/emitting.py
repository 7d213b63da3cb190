"""Which bundle do these documents make? The same bytes from a folder as from the server.

The last step of the compiler's table of contents: everything a manifest says of where the bundle came
from is worked out here, once, for whoever builds.
"""

from __future__ import annotations

from dataclasses import dataclass

from coordination.bundle.pack import PackedBundle, pack
from coordination.bundle.tree import Entry, root_of
from coordination.compiler.pipeline import COMPILER, build
from coordination.diagnostics import Diagnostic
from coordination.program.canonical import sha256_digest
from coordination.program.records import Micros
from coordination.program.source_map import SourceEntry, SourceMap
from coordination.spec import PolicySet


@dataclass(frozen=True, slots=True)
class Emitted:
    """A bundle, or ``None`` when a diagnostic is an error."""

    bundle: PackedBundle | None
    diagnostics: tuple[Diagnostic, ...]


def emit(policy_set: PolicySet, *, environment: str, at: Micros, tzdata: str) -> Emitted:
    """Build and pack. ``at`` is midnight UTC; ``tzdata`` names the zone data that is installed."""
    records, _, vectors, diagnostics = build(policy_set, environment=environment, at=at)
    if records is None:
        return Emitted(None, tuple(diagnostics))
    entries = [
        Entry(document.kind, document.name, sha256_digest(document.canonical()))
        for document in policy_set.documents
        if document.applies_in(environment)
    ]
    source_map = SourceMap.of(
        SourceEntry(kind=entry.kind, name=entry.name, document=entry.digest, fields={}) for entry in entries
    )
    bundle = pack(records, source_map, vectors, root_tree=root_of(entries), compiler=COMPILER, tzdata=tzdata)
    return Emitted(bundle, tuple(diagnostics))
