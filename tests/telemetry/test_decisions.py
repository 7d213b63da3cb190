"""Explanations are kept once, told to whom they concern, and forgotten in time."""

from __future__ import annotations

import asyncio
import json

import pytest
from django.test import Client

from coordination.wire.decisions import encode
from foundation.writer import Writer
from ledger.services import record as enter
from telemetry.decisions import selectors
from telemetry.decisions.intake import DecisionsIntake
from telemetry.decisions.models import KeptDecision, UnexplainedRefusals
from telemetry.decisions.services import record
from telemetry.decisions.sweep import DAY_US, sweep
from tenancy.models import Membership, Role, User
from tests.ledger.conftest import NOON, SECOND, event, origin, request_id
from tests.telemetry.conftest import GATEWAY, OTHERS, batch, explained

pytestmark = pytest.mark.usefixtures("environment")


def keep(*told, **of_batch):
    return record(
        environment="dev", gateway=GATEWAY, batch=batch(*told, **of_batch), received_us=NOON + SECOND
    )


def signed_in(role, tenant=""):
    user = User.objects.create_user(f"{role}-{tenant}", password="a-long-enough-one")
    Membership.objects.create(user=user, role=role, tenant=tenant)
    client = Client()
    client.force_login(user)
    return client


# -- keeping --------------------------------------------------------------------------------------------


def test_told_of_twice_it_is_kept_once_and_its_counts_are_not_added_again():
    for _ in range(3):
        assert keep(explained(1), explained(2), left_out={"capacity_exceeded": 40}) == 2
    assert KeptDecision.objects.count() == 2
    assert selectors.unexplained("dev", since_us=0, until_us=NOON * 2) == [("capacity_exceeded", 40)]
    keep(seq=2, left_out={"capacity_exceeded": 2})
    assert selectors.unexplained("dev", since_us=0, until_us=NOON * 2) == [("capacity_exceeded", 42)]


def test_a_gateway_whose_clock_is_an_hour_ahead_is_understood():
    ahead = 3600 * SECOND
    keep(explained(at=NOON + ahead), sent_at=NOON + SECOND + ahead)
    assert KeptDecision.objects.get().at_us == NOON


def test_the_receipt_comes_after_the_commit(transactional_db, sqlite_file):
    writer = Writer(period=0.0)
    writer.start()
    intake = DecisionsIntake(writer, lambda: NOON + SECOND)
    told = encode(batch(explained(1), explained(2)))
    assert asyncio.run(intake(GATEWAY, "dev", told)) == {"kept": 2}
    assert KeptDecision.objects.count() == 2
    writer.stop(10)


# -- telling --------------------------------------------------------------------------------------------


def test_a_tenants_refusals_come_newest_first_with_advice_and_its_teams():
    keep(
        explained(1, at=NOON - 2 * SECOND),
        explained(2, at=NOON - SECOND, tenant="acme/search", code="spend_exceeded"),
        explained(3, tenant="globex"),
        explained(4, tenant="acmeish"),
        explained(5, reason="slow", code=None),
    )
    told = selectors.refusals("dev", "acme", since_us=0, until_us=NOON * 2)
    assert [row.code for row in told] == ["spend_exceeded", "rate_limit_exceeded"]
    assert "budget" in told[0].advice
    assert selectors.refusal_counts("dev", "acme", since_us=0, until_us=NOON * 2) == [
        ("rate_limit_exceeded", 1),
        ("spend_exceeded", 1),
    ]


def test_staff_see_everything_as_the_gateway_wrote_it():
    keep(explained(1))
    told = signed_in(Role.VIEWER).get(f"/api/v1/decisions/{request_id(1)}").json()
    assert told["explanation"] == json.loads(bytes(explained(1).document))
    assert (told["reason"], told["code"], told["gateway"]) == ("refused", "rate_limit_exceeded", GATEWAY)
    assert told["usage"] == []


def test_a_tenant_sees_its_own_request_and_not_a_byte_of_anybody_elses():
    keep(explained(1), explained(2, tenant="globex"))
    client = signed_in(Role.TENANT_ADMIN, "acme")
    answer = client.get(f"/api/v1/decisions/{request_id(1)}")
    assert answer.json()["explanation"]["decision"]["hold"]["output"] == 5
    assert answer.json()["advice"].startswith("Wait for Retry-After")
    for foreign in ("globex", OTHERS, GATEWAY):
        assert foreign not in answer.content.decode()
    theirs = client.get(f"/api/v1/decisions/{request_id(2)}")
    assert theirs.status_code == 404
    assert "globex" not in theirs.content.decode()
    listed = client.get("/api/v1/decisions").json()["items"]
    assert [row["request_id"] for row in listed] == [request_id(1)]


def test_a_request_whose_explanation_was_not_kept_still_has_its_account(quickstart):
    enter(origin(), [event(1, kind="failed", outcome="failed"), event(1, attempt=2)])
    told = signed_in(Role.OPERATOR).get(f"/api/v1/decisions/{request_id(1)}").json()
    assert told["explanation"] is None
    assert [line["attempt"] for line in told["usage"]] == [1, 2]
    assert signed_in(Role.TENANT_ADMIN, "globex").get(f"/api/v1/decisions/{request_id(1)}").status_code == 404


def test_the_list_is_narrowed_and_read_page_by_page():
    keep(*(explained(n, code="spend_exceeded" if n % 2 else "rate_limit_exceeded") for n in range(6)))
    client = signed_in(Role.OPERATOR)
    first = client.get("/api/v1/decisions", {"code": "spend_exceeded", "limit": 2}).json()
    assert [row["request_id"] for row in first["items"]] == [request_id(5), request_id(3)]
    rest = client.get("/api/v1/decisions", {"code": "spend_exceeded", "cursor": first["next"]}).json()
    assert ([row["request_id"] for row in rest["items"]], rest["next"]) == ([request_id(1)], None)


def test_who_is_not_signed_in_or_nobodys_is_told_nothing():
    keep(explained(1))
    assert Client().get(f"/api/v1/decisions/{request_id(1)}").status_code in (401, 403)
    stranger = Client()
    stranger.force_login(User.objects.create_user("sam", password="a-long-enough-one"))
    assert stranger.get("/api/v1/decisions").status_code == 403


# -- forgetting -----------------------------------------------------------------------------------------


def test_what_is_old_or_too_much_is_forgotten_a_bounded_piece_at_a_time(settings, monkeypatch):
    settings.HEADWAY_DECISIONS_DAYS, settings.HEADWAY_DECISIONS_MOST = 2, 15
    monkeypatch.setattr("telemetry.decisions.sweep.CHUNK", 2)
    monkeypatch.setattr("telemetry.decisions.sweep.MOST_CHUNKS", 3)
    keep(*(explained(n, at=NOON - 3 * DAY_US) for n in range(10)))
    keep(*(explained(n) for n in range(10, 30)), seq=2, left_out={"no_route": 1})
    assert sweep(NOON) == 6
    while sweep(NOON):
        pass
    kept = KeptDecision.objects.order_by("id").values_list("request_id", flat=True)
    assert list(kept) == [request_id(n) for n in range(15, 30)]
    assert UnexplainedRefusals.objects.count() == 1
