"""What was written once stays: on both databases, column by column, and after a table was rebuilt."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.utils import timezone

from foundation import immutability
from foundation.audit.models import AuditEntry
from foundation.immutability import GUARDED, guarded_models

BOTH = [pytest.param(id="sqlite"), pytest.param(id="postgresql", marks=pytest.mark.postgres)]
on_both = pytest.mark.parametrize((), BOTH)
every_model = pytest.mark.parametrize("label", [guarded.model for guarded in GUARDED])
MADE_UP: list[tuple[type[models.Field[Any, Any]], Any]] = [
    (models.DateTimeField, timezone.now()),
    (models.DateField, timezone.now().date()),
    (models.JSONField, {}),
    (models.BinaryField, b"x"),
    (models.IntegerField, 1),
    (models.CharField, "x"),
]


def guarded(label):
    return next((each, model) for each, model in guarded_models() if each.model == label)


def value_for(field):
    target = field.target_field if field.is_relation else field
    return next(value for kind, value in MADE_UP if isinstance(target, kind))


def insert(model):
    """A row of made-up values. What it refers to does not exist: it must be gone before the end."""
    values = {
        field.attname: None if field.null else value_for(field)
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField)
    }
    [row] = model._default_manager.bulk_create([model(**values)])
    return row


def is_refused(change):
    try:
        with transaction.atomic():
            change()
    except IntegrityError as error:
        return "is immutable" in str(error)
    return False


@on_both
@every_model
@pytest.mark.django_db
def test_no_column_of_a_guarded_row_is_changed_and_no_row_deleted(label):
    entry, model = guarded(label)
    with transaction.atomic():
        insert(model)
        rows = model._default_manager.all()
        assert rows.count() == 1
        assert is_refused(lambda: rows._raw_delete(connection.alias))
        for field in model._meta.concrete_fields:
            written = value_for(field) if field.attname in entry.forgettable else models.F(field.attname)
            assert is_refused(lambda f=field, w=written: rows.update(**{f.attname: w})), field.attname
            if field.attname in entry.forgettable:
                assert rows.update(**{field.attname: None}) == 1
        transaction.set_rollback(True)


@every_model
@pytest.mark.postgres
@pytest.mark.django_db
def test_a_guarded_table_is_not_truncated(label):
    _, model = guarded(label)

    def truncate():
        with connection.cursor() as cursor:
            cursor.execute(f'TRUNCATE "{model._meta.db_table}" CASCADE')

    assert is_refused(truncate)


def triggers():
    """Names of our triggers as the database has them."""
    source = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(source)
        return {name for (name,) in cursor.fetchall() if name.startswith(immutability.PREFIX)}


@on_both
@pytest.mark.django_db(transaction=True)
def test_the_guards_are_there_after_migrations_once_and_survive_a_second_run():
    before = triggers()
    each = 3 if connection.vendor == "postgresql" else 2
    forgettable = sum(1 for entry in GUARDED if entry.forgettable)
    assert len(before) == each * len(GUARDED) + forgettable
    call_command("migrate", verbosity=0)
    assert triggers() == before


@pytest.mark.django_db(transaction=True)
def test_a_table_that_a_migration_rebuilds_is_guarded_again():
    before = triggers()
    rebuilder: Any
    with connection.schema_editor() as rebuilder:
        rebuilder._remake_table(AuditEntry)
    assert len(triggers()) == len(before) - 3, "SQLite drops the triggers of a table it rebuilds"
    call_command("migrate", verbosity=0)
    assert triggers() == before


@on_both
@pytest.mark.django_db
def test_the_guards_are_back_even_when_emptying_fails():
    before = triggers()
    with pytest.raises(DatabaseError), transaction.atomic(), immutability.suspended(connection):  # noqa: PT012
        assert triggers() == set()
        AuditEntry.objects.raw("SELECT no_such_column")[0]
    assert triggers() == before


@pytest.mark.django_db
def test_an_app_that_is_not_installed_has_nothing_to_guard(settings):
    left = [app for app in settings.INSTALLED_APPS if app not in ("delivery", "console")]
    with_all = len(list(guarded_models()))
    settings.INSTALLED_APPS = left
    assert len(list(guarded_models())) == with_all - 3
