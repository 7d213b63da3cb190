"""Is what was asked for locked, and nothing that only lies in its way?"""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from delivery.models import Pointer, Release
from foundation.locking import locked
from tests.contracts.test_repository import ROOT, committed

pytestmark = pytest.mark.django_db


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("rows", "table"),
    [
        (Release.objects.filter(state=Release.State.RUNNING), "delivery_release"),
        (Pointer.objects.select_related("directory"), "delivery_pointer"),
    ],
)
def test_a_joined_row_is_not_locked(rows, table):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL locks rows")
    with transaction.atomic():
        statement = str(locked(rows).query)
    assert " JOIN " in statement
    assert statement.endswith(f'FOR NO KEY UPDATE OF "{table}"')


def test_every_lock_is_taken_by_it():
    """The outbox alone says it itself: it passes over what others hold."""
    files = committed("platform/*.py", "policies/*.py", "telemetry/*.py")
    holds = {file for file in files if ".select_for_update(" in (ROOT / file).read_text()}
    assert holds == {"platform/foundation/locking.py", "platform/foundation/outbox/delivery.py"}


def test_an_error_of_ours_under_the_api_is_a_problem_too(client, monkeypatch):
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("foundation.http.answers.NotFound", failing)
    client.raise_request_exception = False
    answer = client.get("/api/v1/nothing-here")
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "internal_error"
