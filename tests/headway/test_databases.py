"""Both databases: the schema arises by migrations alone, and SQLite and PostgreSQL hold the same rules."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from tenancy.models import Membership, Role, User


@pytest.mark.django_db
def test_every_model_change_has_its_migration():
    call_command("makemigrations", check=True, dry_run=True, stdout=io.StringIO())


def assert_migrated_and_constrained() -> None:
    out = io.StringIO()
    call_command("showmigrations", "--plan", stdout=out)
    assert "[ ]" not in out.getvalue()
    user = User.objects.create_user("ada")
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=user, role=Role.OPERATOR, tenant="acme")
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=user, role=Role.TENANT_ADMIN, tenant="")
    Membership.objects.create(user=user, role=Role.TENANT_ADMIN, tenant="acme")
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=user, role=Role.TENANT_ADMIN, tenant="acme")


@pytest.mark.django_db
def test_sqlite_is_migrated_and_holds_the_constraints():
    assert connection.vendor == "sqlite"
    assert_migrated_and_constrained()


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_is_migrated_and_holds_the_constraints():
    assert connection.vendor == "postgresql"
    assert_migrated_and_constrained()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_postgresql_serves_other_threads_of_a_marked_test():
    from concurrent.futures import ThreadPoolExecutor

    def vendor_and_users() -> tuple[str, int]:
        try:
            return connection.vendor, User.objects.count()
        finally:
            connection.close()

    User.objects.create_user("grace")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(vendor_and_users).result() == ("postgresql", 1)


@pytest.mark.django_db(transaction=True)
def test_the_next_test_is_on_sqlite_again():
    assert connection.vendor == "sqlite"
    assert not User.objects.exists()
