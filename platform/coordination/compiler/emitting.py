"""Which bundle do these documents make? The same bytes from a folder as from the server.

The last step of the compiler's table of contents: everything a manifest says of where the bundle came
from is worked out here, once, for whoever builds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordination.bundle.pack import PackedBundle, pack
from coordination.bundle.tree import Entry, root_of
from coordination.compiler.pipeline import COMPILER, build
from coordination.diagnostics import Diagnostic
from coordination.program.records import Micros
from coordination.spec import PolicySet, SourceFile, read


@dataclass(frozen=True, slots=True)
class Emitted:
    """A bundle, or ``None`` when a diagnostic is an error."""

    bundle: PackedBundle | None
    diagnostics: tuple[Diagnostic, ...]


def emit(policy_set: PolicySet, *, environment: str, at: Micros, tzdata: str) -> Emitted:
    """Build and pack. ``at`` is midnight UTC; ``tzdata`` names the zone data that is installed."""
    records, source_map, vectors, diagnostics = build(policy_set, environment=environment, at=at)
    if records is None:
        return Emitted(None, tuple(diagnostics))
    entries = [Entry(origin.kind, origin.name, origin.document) for origin in source_map.entries]
    bundle = pack(records, source_map, vectors, root_tree=root_of(entries), compiler=COMPILER, tzdata=tzdata)
    return Emitted(bundle, tuple(diagnostics))


def emit_bodies(bodies: Sequence[bytes], environment: str, at: Micros, tzdata: str) -> Emitted:
    """``emit`` for documents given as canonical JSON: what another process can be asked to do."""
    policy_set, misread = read(SourceFile(f"{n:07}.json", body) for n, body in enumerate(bodies))
    emitted = emit(policy_set, environment=environment, at=at, tzdata=tzdata)
    return Emitted(emitted.bundle, (*misread, *emitted.diagnostics))
