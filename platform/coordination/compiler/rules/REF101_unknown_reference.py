"""REF101: a document names an object that does not exist in this environment."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import replace, report
from coordination.diagnostics import Diagnostic, Fix, Nearest, Rule
from coordination.spec.declaration import Mention
from coordination.spec.plain import pointer, quoted

RULE = Rule("REF101", "error", "Unknown reference")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    nearest: dict[str, Nearest] = {}
    for document, mention in catalogue.dangling:
        kind, name = mention.kind, mention.name
        if catalogue.kinds_of(name):
            continue
        if kind not in nearest:
            nearest[kind] = Nearest(sorted(catalogue.names(kind)))
        near = nearest[kind].to(name)
        where = f" in environment `{catalogue.environment}`" if catalogue.environment else ""
        yield report(
            RULE,
            document,
            mention.path,
            f"there is no {kind} {quoted(name)}{where if _elsewhere(catalogue, kind, name) else ''}"
            + (f"; did you mean `{near}`?" if near else ""),
            on=mention.on,
            notes=_notes(catalogue, kind, name),
            fix=_fix(mention, near) if near else None,
        )


def _fix(mention: Mention, near: str) -> Fix:
    where = pointer(mention.path)
    if mention.on == "value":
        return replace(f"write `{near}`", where, near)
    renamed = f"{where.rpartition('/')[0]}/{near}"
    return Fix(f"write `{near}`", "unsafe", ({"op": "move", "from": where, "path": renamed},))


def _elsewhere(catalogue: Catalogue, kind: str, name: str) -> list[str]:
    """Environments in which the object does exist."""
    return catalogue.environments_of.get((kind, name), [])


def _notes(catalogue: Catalogue, kind: str, name: str) -> tuple[str, ...]:
    elsewhere = _elsewhere(catalogue, kind, name)
    return (f"It exists in: {', '.join(elsewhere)}.",) if elsewhere else ()
