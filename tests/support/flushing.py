"""How is a test's database emptied, quickly, when some of its rows refuse to go?

Django empties the database after each test that commits, and then makes permissions and content types
anew, which takes longer than most tests. Here those stay: no test writes them. Immutable rows are guarded
by triggers, which are taken away for just that moment, and are back before the next test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

MADE_BY_MIGRATING = frozenset({"django_content_type", "auth_permission"})


@pytest.fixture(scope="session", autouse=True)
def _flushing_may_delete_what_is_immutable() -> Iterator[None]:
    from django.db import connection
    from django.test import TransactionTestCase

    from foundation import immutability

    with pytest.MonkeyPatch.context() as patch:
        case: Any = TransactionTestCase

        def teardown(self: TransactionTestCase) -> None:
            present = connection.introspection.django_table_names(only_existing=True, include_views=False)
            tables = sorted(set(present) - MADE_BY_MIGRATING)
            # Deleting few rows is quicker than truncating many tables, and no foreign key is checked before
            # all are gone.
            deletions = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]  # noqa: S608
            with immutability.suspended(connection):
                connection.ops.execute_sql_flush(deletions)

        patch.setattr(case, "_fixture_teardown", teardown)
        yield
