"""Administrators of a tenant set limits of its teams within the delegation, and ask for what is beyond."""

from __future__ import annotations

import re

import pytest

from coordination.bundle.directory import read_directory
from delivery.directories import current
from fleet.models import Environment
from foundation.audit.models import AuditEntry
from policies.models import ChangeSet
from policies.services import merge
from portal.mapping.team_limits import read_amount
from tenancy.models import Role, TeamLimit
from tests.console.conftest import client_of, person
from tests.portal.test_changes import place

TEAMS = "/portal/teams/dev/acme/"
SAVE = "/portal/set-limits/dev/acme/"
PREVIEW = "/portal/preview-limits/dev/acme/"
ASK = "/portal/ask-for-more/dev/acme/"


def page(client, path=TEAMS):
    return client.get(path).content.decode()


def version(client, team):
    hidden = f'name="team" value="{team}"><input type="hidden" name="version" value="'
    form = re.search(f'{hidden}([^"]+)"', page(client))
    assert form is not None
    return form[1]


def save(client, team="acme/search", **more):
    typed = {name.replace("_per_", "-"): text for name, text in more.items() if name != "version"}
    seen = more.get("version") or version(client, team)
    return client.post(SAVE, {"team": team, "version": seen, **typed})


def held():
    return {(row.tenant, row.of, row.per): row.amount for row in TeamLimit.objects.all()}


def test_a_limit_is_set_on_record_and_in_the_next_directory(world, admin):
    assert "at most 3k" in page(admin), "what acme has itself"
    answer = save(admin, requests_per_1m="1.5k", spend_per_month="500")
    assert answer.status_code == 302
    assert held() == {
        ("acme/search", "requests", "1m"): 1500,
        ("acme/search", "spend", "month"): 500 * 10**9,
    }
    directory = read_directory(bytes(current(Environment.objects.get(name="dev")).content))
    assert directory.limits == {"acme/search": {"requests": {"1m": 1500}, "spend": {"month": 500 * 10**9}}}
    entry = AuditEntry.objects.latest("seq")
    assert (entry.action, entry.actor_name, entry.object_name) == ("team_limits.set", "ana", "acme/search")
    shown = page(admin)
    assert "2 set by your administrators" in shown
    assert 'value="1.5k"' in shown
    assert 'value="500 USD"' in shown
    save(admin)
    assert held() == {}, "blank: the policy's own"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ({"requests_per_1m": "3001"}, "limit_above_parent"),
        ({"requests_per_1m": "many"}, "SPEC006"),
        ({"requests_per_1m": "0"}, "SPEC008"),
        ({"requests_per_1m": "5 tokens"}, "SPEC007"),
        ({"spend_per_month": "5 EUR"}, "SPEC007"),
        ({"spend_per_month": "20001 USD"}, "at most 20000 USD of spend per month"),
    ],
)
def test_what_will_not_do_is_said_at_its_field_and_nothing_is_saved(world, admin, typed, code):
    sent = {name.replace("_per_", "-"): text for name, text in typed.items()}
    ((name, text),) = sent.items()
    seen = admin.get(PREVIEW, {"team": "acme/search", **sent}).content.decode()
    answer = save(admin, **typed)
    assert answer.status_code == 422
    for told in (seen, answer.content.decode()):
        at_field = re.search(rf'id="acme_search-{name}-said"[^>]*>(.*?)</div>', told)
        assert at_field is not None
        assert code in at_field[1]
    assert f'value="{text}"' in answer.content.decode(), "what was typed stays"
    assert held() == {}


def test_the_policy_s_own_checks_are_told_as_somebody_types(world, admin):
    told = admin.get(PREVIEW, {"team": "acme/search", "requests-1m": "900"}).content.decode()
    assert "Nothing stands against it" in told
    assert held() == {}


def test_who_looked_at_older_limits_is_refused(world, admin):
    seen = version(admin, "acme/search")
    save(admin, requests_per_1m="10", version=seen)
    late = save(admin, requests_per_1m="20", version=seen)
    assert late.status_code == 409
    assert "stale_edit" in late.content.decode()
    assert held() == {("acme/search", "requests", "1m"): 10}


@pytest.mark.parametrize("team", ["globex/plant", "acme", "nobody", "acme/none", ""])
def test_somebody_else_s_team_is_as_if_there_were_none(world, admin, team):
    for answer in (
        admin.post(SAVE, {"team": team, "requests-1m": "1"}),
        admin.get(PREVIEW, {"team": team, "requests-1m": "1"}),
    ):
        assert answer.status_code == 404
    assert held() == {}


def test_without_the_right_nothing_can_be_typed_and_nothing_is_saved(world, admin, team_admin):
    """acme/shop hands nothing on to its own administrators."""
    shop = client_of(person("sho", Role.TENANT_ADMIN, "acme/shop"))
    shown = page(shop, "/portal/teams/dev/acme/shop/")
    assert "The policy does not delegate these limits" in shown
    assert "The policy does not delegate how these teams share" in shown
    assert "Save limits" not in shown
    answer = shop.post(
        "/portal/set-limits/dev/acme/shop/",
        {"team": "acme/shop/days", "version": "", "requests-1m": "1"},
    )
    assert (answer.status_code, held()) == (409, {})
    answer = shop.post(
        "/portal/set-limits/dev/acme/shop/",
        {"team": "acme/shop/days", "version": version(admin, "acme/shop/days"), "requests-1m": "1"},
    )
    assert (answer.status_code, held()) == (403, {})
    assert "beyond_delegation" in answer.content.decode()
    moved = {"giver": "acme/shop/days", "taker": "acme/shop/nights", "amount": "0.5", "version": "x"}
    assert "beyond_delegation" in shop.post("/portal/move-share/dev/acme/shop/", moved).content.decode()
    made = {"name": "k", "team": "acme/shop/days", "scopes": "inference", "token": "t"}
    assert shop.post("/portal/create-key/dev/acme/shop/", made).status_code == 422


def test_members_look_and_set_nothing(world, member):
    assert "Save limits" not in page(member)
    assert "Ask for more" not in page(member)
    for path in (SAVE, ASK):
        assert member.post(path, {"team": "acme/search", "requests-1m": "1"}).status_code == 403
    assert held() == {}


def ask(client, wish="acme requests 1m", amount="6k", reason="a sale in March", path=ASK):
    return client.post(path, {"wish": wish, "amount": amount, "reason": reason})


def test_what_is_beyond_is_asked_for_and_an_operator_grants_it(world, admin):
    assert ask(admin).status_code == 302
    found = ChangeSet.objects.get(ticket="asked by acme")
    assert (found.author_name, found.reason, found.state) == ("ana", "a sale in March", "open")
    shown = page(admin)
    assert "Waits for review" in shown
    assert "at most 3k" in shown, "nothing has changed"
    merge(actor=person("olga", Role.OPERATOR), change_set=found)
    shown = page(admin)
    assert "Granted" in shown
    assert "at most 6k" in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"wish": "globex requests 1m"},
        {"wish": "acme requests month"},
        {"wish": "nonsense"},
        {"amount": "lots"},
        {"amount": ""},
        {"reason": ""},
    ],
)
def test_nothing_is_asked_for_that_is_not_one_s_own_or_cannot_be_read(world, admin, wrong):
    before = ChangeSet.objects.count()
    answer = ask(admin, **wrong)
    assert answer.status_code == 422
    assert ChangeSet.objects.count() == before


def test_one_tenant_s_wishes_are_not_shown_to_another(world, admin):
    ask(admin)
    gil = client_of(person("gil", Role.TENANT_ADMIN, "globex"))
    assert "a sale in March" not in page(gil, "/portal/teams/dev/globex/")
    assert ask(gil, path=ASK).status_code == 404


def test_amounts_are_read_as_the_policy_reads_them():
    assert read_amount("requests", "1.5k", "USD") == 1500
    assert read_amount("total_tokens", "2M tokens", "USD") == 2_000_000
    assert read_amount("spend", "12.50", "USD") == read_amount("spend", "12.50 USD", "USD") == 12_500_000_000


def test_the_contract_says_what_is_handed_on(world):
    contract = place().contract
    assert contract.rights_over("acme/search") == {"weight", "limits", "keys"}
    assert contract.rights_over("acme") == frozenset()
    assert place("acme/shop").contract.rights_over("acme/shop/days") == frozenset()
