"""Which rows can never be changed again, and what in the database sees to it?

One list, installed as triggers after every migration. A service that tries is a bug; a hand on the
database is refused, and what a trigger cannot refuse (someone who drops it) the audit chain shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.apps import apps
from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

PREFIX = "headway_immutable"
VERBS = ("update", "delete")


@dataclass(frozen=True, slots=True)
class Guarded:
    """A model whose rows are written once. ``forgettable`` columns may still be set to NULL."""

    model: str
    forgettable: tuple[str, ...] = ()


GUARDED = (
    Guarded("foundation.AuditEntry", forgettable=("actor_id",)),  # a deleted user takes no evidence along
    Guarded("policies.Document"),
    Guarded("policies.Tree"),
    Guarded("policies.Revision"),
    Guarded("policies.Build"),
    Guarded("policies.Bundle"),
    Guarded("policies.BundleFile"),
    Guarded("ledger.UsageEvent"),
    Guarded("delivery.TrustRoot"),
    Guarded("delivery.Signature"),
    Guarded("delivery.DirectoryVersion"),
)


def guarded_models() -> Iterator[tuple[Guarded, type[models.Model]]]:
    """The list, without the apps that are not installed here."""
    for guarded in GUARDED:
        label = guarded.model.partition(".")[0]
        if apps.is_installed(label):
            yield guarded, apps.get_model(guarded.model)


def install(connection: BaseDatabaseWrapper) -> None:
    """Make every trigger of the list anew, on the tables that exist. Idempotent."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        present = set(connection.introspection.table_names(cursor))
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRES_FUNCTION)
        for guarded, model in guarded_models():
            if model._meta.db_table in present:
                for statement in _statements(connection.vendor, guarded, model):
                    cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take every trigger of the list away."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        present = set(connection.introspection.table_names(cursor))
        for _, model in guarded_models():
            table = model._meta.db_table
            if table in present:
                for statement in _removals(connection.vendor, table):
                    cursor.execute(statement)


@contextmanager
def suspended(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Without the triggers, for emptying a test's database. Nothing else may use this."""
    remove(connection)
    try:
        yield
    finally:
        install(connection)


_POSTGRES_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {PREFIX}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is immutable', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def _removals(vendor: str, table: str) -> Iterator[str]:
    on = f' ON "{table}"' if vendor == "postgresql" else ""
    for verb in (*VERBS, "forget", "truncate"):
        yield f'DROP TRIGGER IF EXISTS "{PREFIX}_{verb}_{table}"{on}'


def _statements(vendor: str, guarded: Guarded, model: type[models.Model]) -> Iterator[str]:
    """The triggers of one table. ``forgettable`` columns get their own: only NULL may be written."""
    table = model._meta.db_table
    yield from _removals(vendor, table)
    columns = [str(field.column) for field in model._meta.local_concrete_fields]
    kept = ", ".join(f'"{name}"' for name in columns if name not in guarded.forgettable)
    forgotten = ", ".join(f'"{name}"' for name in guarded.forgettable)
    rewritten = " OR ".join(f'NEW."{name}" IS NOT NULL' for name in guarded.forgettable)
    if vendor == "postgresql":
        refuse = f"EXECUTE FUNCTION {PREFIX}()"
    else:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is immutable'); END"
    row = f'ON "{table}" FOR EACH ROW'
    yield f'CREATE TRIGGER "{PREFIX}_update_{table}" BEFORE UPDATE OF {kept} {row} {refuse}'
    yield f'CREATE TRIGGER "{PREFIX}_delete_{table}" BEFORE DELETE {row} {refuse}'
    if guarded.forgettable:
        name = f"{PREFIX}_forget_{table}"
        yield f'CREATE TRIGGER "{name}" BEFORE UPDATE OF {forgotten} {row} WHEN ({rewritten}) {refuse}'
    if vendor == "postgresql":
        yield f'CREATE TRIGGER "{PREFIX}_truncate_{table}" BEFORE TRUNCATE ON "{table}" {refuse}'
