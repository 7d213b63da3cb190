"""REF102: the name exists, but as an object of another kind than the field takes."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("REF102", "error", "Reference to another kind")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for document, mention in catalogue.dangling:
        kinds = catalogue.kinds_of(mention.name)
        if not kinds:
            continue
        other = catalogue.of_kind(kinds[0])[mention.name].document
        yield report(
            RULE,
            document,
            mention.path,
            f"`{mention.name}` is a {' and a '.join(kinds)}; a {mention.kind} is asked for here",
            on=mention.on,
            related=(see(other, "/metadata/name", f"the {other.kind} is defined here"),),
        )
