"""How are rows locked until a transaction ends? Those asked for, and no others."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def locked(rows: QuerySet[M]) -> QuerySet[M]:
    """``rows`` under lock until the transaction ends; SQLite, which has one writer, locks nothing.

    Only the model's own rows: a default order that follows a foreign key joins the other table, and a
    plain ``FOR UPDATE`` would lock that too, after these and so against everybody else's order. And
    without their keys: whoever writes a row that refers to a locked one need not wait for it.
    """
    return rows.select_for_update(of=("self",), no_key=True)
