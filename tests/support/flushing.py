"""How is a test's database emptied when some of its rows refuse to go?

Django empties the database after each test that commits. Immutable rows are guarded by triggers, which
are taken away for just that moment, and are back before the next test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _flushing_may_delete_what_is_immutable() -> Iterator[None]:
    from django.db import connection
    from django.test import TransactionTestCase

    from foundation import immutability

    with pytest.MonkeyPatch.context() as patch:
        case: Any = TransactionTestCase
        empty = case._fixture_teardown

        def teardown(self: TransactionTestCase) -> None:
            immutability.remove(connection)
            empty(self)  # its flush ends in post_migrate, which installs the triggers again

        patch.setattr(case, "_fixture_teardown", teardown)
        yield
