"""Where does each object, and each number in it, come from? Answered for a compiled policy."""

from __future__ import annotations

from typing import Any

from coordination.compiler.catalogue import Catalogue
from coordination.spec.document import Document


class SourceMap:
    """Places of everything that went into a program; worked out when asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._documents = catalogue.documents

    def entries(self) -> dict[str, dict[str, Any]]:
        """``"Quota/acme" -> {"file", "line", "column", "fields": {pointer: [line, column]}}``.

        ``fields`` holds every written value of the spec that is not a mapping or list, by its JSON
        pointer in the document; lines and columns are 1-based. Sorted, so equal input gives equal bytes.
        """
        return {f"{d.kind}/{d.name}": _entry(d) for d in self._documents}


def _entry(document: Document) -> dict[str, Any]:
    start = document.locate("/metadata/name")
    fields: dict[str, list[int]] = {}
    for pointer, place in document.positions.leaves():
        if pointer.startswith("/spec/"):
            fields[pointer] = [place.line, place.column]
    return {
        "file": start.file,
        "line": start.line,
        "column": start.column,
        "fields": dict(sorted(fields.items())),
    }
