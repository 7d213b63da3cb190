"""QUOTA506: a model has two prices from the same instant on."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.program.records import Micros
from coordination.spec.kinds import PriceBook
from coordination.spec.quantities import write_instant

RULE = Rule("QUOTA506", "error", "Two prices at one instant")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    first: dict[tuple[str, Micros], tuple[Entry[PriceBook], int]] = {}
    for book in catalogue.price_books.values():
        for i, entry in enumerate(book.spec.entries):
            other, j = first.setdefault((entry.model, entry.from_), (book, i))
            if (other, j) == (book, i):
                continue
            since = f"from {write_instant(entry.from_)}" if entry.from_ else "since ever"
            yield report(
                RULE,
                book.document,
                f"/spec/entries/{i}/model",
                f"model `{entry.model}` has two prices {since}",
                related=(see(other.document, f"/spec/entries/{j}/model", "the other price"),),
            )
