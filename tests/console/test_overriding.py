"""The night desk: block, drain, freeze, ask for more; a second person agrees; a credit is given."""

from __future__ import annotations

import re

import pytest

from delivery.models import Override
from delivery.overrides import standing
from tenancy.models import LimitCredit, Role
from tests.console.conftest import ENVIRONMENT, client_of, person

pytestmark = pytest.mark.django_db
SCREEN = f"/e/{ENVIRONMENT}/overrides/"
CREDITS = f"/e/{ENVIRONMENT}/credits/"


@pytest.fixture(autouse=True)
def released(running):
    """The quickstart, and two gateways that run it."""


def page(client, address=SCREEN):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def begin(client, kind, **fields):
    return client.post(
        f"{SCREEN}begin/{kind}/", {"lasts": "900", "reason": "a flood", "token": kind, **fields}
    )


def test_a_tenant_is_blocked_from_its_own_page_and_unblocked_from_the_list(operator):
    link = re.search(
        r'href="([^"]*begin/block_tenant[^"]*)"', page(operator, f"/e/{ENVIRONMENT}/policies/tenants/acme/")
    )
    assert link is not None
    assert 'value="acme"' in page(operator, link[1])
    assert begin(operator, "block_tenant", subject="acme").url == SCREEN
    assert [one.subject for one in standing.in_force(ENVIRONMENT, standing.now_us())] == ["acme"]
    shown = page(operator)
    assert "In force" in shown
    assert "a flood" in shown
    row = Override.objects.get()
    assert operator.post(f"{SCREEN}{row.id}/lift/", {"token": "x"}).url == SCREEN
    assert not standing.in_force(ENVIRONMENT, standing.now_us())


def test_a_form_that_is_sent_twice_begins_one(operator):
    begin(operator, "freeze_releases")
    begin(operator, "freeze_releases")
    assert Override.objects.count() == 1


def test_replicas_can_be_drained_and_cordoned_from_their_list(operator):
    links = re.findall(r'href="([^"]*begin/drain_replica/\?[^"]*)"', page(operator))
    assert len(links) == 16, "eight replicas, two doors each"
    cordon = next(link.replace("&amp;", "&") for link in links if "lasts=604800" in link)
    shown = page(operator, cordon)
    assert 'value="http://127.0.0.1:8101"' in shown
    assert re.search(r'value="604800" selected', shown)
    begin(operator, "drain_replica", subject="http://127.0.0.1:8101", lasts="604800")
    assert "Set aside" in page(operator)


@pytest.mark.parametrize(
    ("kind", "fields", "status", "says"),
    [
        ("block_tenant", {"subject": "nobody"}, 422, "has nothing of that name"),
        ("block_tenant", {"subject": ""}, 422, "required"),
        ("block_tenant", {"subject": "acme", "reason": ""}, 422, "required"),
        ("wake_pool", {"subject": "chat-a", "lasts": "604800"}, 422, "For: Select"),
        ("raise_limit", {"subject": "acme:requests:1m", "amount_ppm": "9000000"}, 422, "To: Select"),
    ],
)
def test_what_will_not_do_is_said_on_the_page_and_nothing_typed_is_lost(operator, kind, fields, status, says):
    answer = begin(operator, kind, **fields)
    assert answer.status_code == status
    assert says in answer.content.decode()
    assert f'value="{fields["subject"]}"' in answer.content.decode()
    assert not Override.objects.exists()


def test_a_limit_is_raised_once_somebody_else_agrees(operator):
    begin(operator, "raise_limit", subject="acme:total_tokens:1m", amount_ppm="1500000")
    row = Override.objects.get()
    assert f"{row.id}/approve/" not in page(operator), "whoever asked is not asked"
    operator.post(f"{SCREEN}{row.id}/approve/", {"token": "x"})
    assert not standing.in_force(ENVIRONMENT, standing.now_us())
    bob = client_of(person("bob", Role.APPROVER))
    assert f"{row.id}/approve/" in page(bob)
    bob.post(f"{SCREEN}{row.id}/approve/", {"token": "y"})
    assert standing.in_force(ENVIRONMENT, standing.now_us())
    assert "change set" in page(operator)


def test_viewers_look_and_no_more(operator, viewer):
    begin(operator, "raise_limit", subject="acme:total_tokens:1m", amount_ppm="1500000")
    row = Override.objects.get()
    shown = page(viewer)
    assert "/begin/" not in shown
    assert "/approve/" not in shown
    assert begin(viewer, "freeze_releases").status_code == 403
    assert viewer.post(f"{SCREEN}{row.id}/lift/").status_code == 403
    assert viewer.post(f"{SCREEN}{row.id}/approve/", {"token": "z"}).status_code == 403
    assert not standing.in_force(ENVIRONMENT, standing.now_us())
    assert viewer.post(CREDITS, {"limit": "acme:requests:1m", "all": "1", "reason": "x"}).status_code == 403


def test_a_credit_is_given_a_limit_reset_and_too_much_refused(operator):
    asked = {"limit": "acme:requests:1m", "more": "100", "reason": "a launch", "token": "a"}
    assert operator.post(CREDITS, asked).url == CREDITS
    assert operator.post(CREDITS, {**asked, "more": "", "all": "1", "token": "b"}).url == CREDITS
    assert list(LimitCredit.objects.order_by("made_at").values_list("amount", flat=True)) == [100, None]
    money = {"limit": "acme:spend:month", "more": "12.5", "reason": "a launch", "token": "c"}
    operator.post(CREDITS, money)
    assert LimitCredit.objects.latest("made_at").amount == 12_500_000_000
    much = operator.post(CREDITS, {**asked, "more": "99999", "token": "d"})
    assert much.status_code == 409
    assert "At most 3000 may be credited" in much.content.decode()
    neither = operator.post(CREDITS, {**asked, "more": "", "token": "e"})
    assert (neither.status_code, "Say how much" in neither.content.decode()) == (422, True)
    assert "a launch" in page(operator, CREDITS)
