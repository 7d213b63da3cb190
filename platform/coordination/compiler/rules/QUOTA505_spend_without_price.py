"""QUOTA505: a spend limit on models that have no price, or in another currency than the prices."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import listed, report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import Money

RULE = Rule("QUOTA505", "error", "Spend limit without a price")
NEEDS_WHOLE = True


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    priced: dict[str, set[str]] = {}
    for book in catalogue.price_books.values():
        for entry in book.spec.entries:
            priced.setdefault(entry.model, set()).add(book.spec.currency)
    for quota in catalogue.quotas.values():
        models = quota.spec.scope.models or tuple(catalogue.models)
        for i, limit in enumerate(quota.spec.limits):
            if not isinstance(limit.limit, Money):
                continue
            currency = limit.limit.currency
            missing = [name for name in models if currency not in priced.get(name, ())]
            if not missing:
                continue
            elsewhere = sorted({c for name in missing for c in priced.get(name, ())})
            yield report(
                RULE,
                quota.document,
                f"/spec/limits/{i}/limit",
                f"spend is limited in {currency}, but {listed(missing)} "
                + (f"is priced in {', '.join(elsewhere)}" if elsewhere else "has no price"),
                related=tuple(
                    see(book.document, "/spec/currency", f"`{book.name}` is in {book.spec.currency}")
                    for book in catalogue.price_books.values()
                    if elsewhere and book.spec.currency != currency
                ),
                notes=("What has no price would count as free.",),
            )
