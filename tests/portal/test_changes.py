"""What a tenant's administrators change: keys and shares; within their own, on record, once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.directories import current
from fleet.models import Environment
from foundation.audit.models import AuditEntry
from foundation.http import Forbidden, Invalid, NotFound
from foundation.outbox.models import OutboxEvent
from portal import services
from portal.mapping import shares
from portal.selectors.contract import look
from tenancy.models import ApiKey, Role, TeamShare, User
from tests.console.conftest import person

KEYS = "/portal/keys/dev/acme/"
CREATE = "/portal/create-key/dev/acme/"


def fresh_token(client, path=KEYS):
    return re.findall(r'name="token" value="([^"]+)"', client.get(path).content.decode())[0]


def new_key(client, **more):
    asked = {"name": "batch job", "team": "acme", "scopes": "inference", "token": fresh_token(client)}
    return client.post(CREATE, asked | more)


def secret_in(answer):
    return re.findall(r'id="secret">([^<]+)<', answer.content.decode())[0]


def place(tenant="acme"):
    contract = look((), "dev", tenant).contract
    assert contract is not None
    return services.Place("dev", contract)


def test_a_key_is_shown_once_works_for_its_team_and_is_on_record(world, admin):
    answer = new_key(admin, team="acme/search", days="30")
    secret = secret_in(answer)
    row = ApiKey.objects.get(name="batch job")
    assert secret.startswith(f"hw_{row.key_id}_")
    assert (row.tenant, row.scopes, row.created_by_name) == ("acme/search", ["inference"], "ana")
    assert row.expires_at is not None
    assert timedelta(days=29) < row.expires_at - timezone.now() < timedelta(days=31)
    assert "no-store" in answer["Cache-Control"]
    assert secret not in admin.get(KEYS).content.decode()
    entry = AuditEntry.objects.latest("seq")
    assert (entry.action, entry.actor_name, entry.object_name) == ("api_key.created", "ana", row.key_id)
    assert row.key_id in set(directory().keys)


def directory():
    from coordination.bundle.directory import read_directory

    return read_directory(bytes(current(Environment.objects.get(name="dev")).content))


def test_a_form_that_is_sent_twice_makes_one_key(world, admin):
    asked = {"name": "batch job", "team": "acme", "scopes": "inference", "token": fresh_token(admin)}
    admin.post(CREATE, asked)
    again = admin.post(CREATE, asked)
    assert (again.status_code, again["Location"]) == (302, KEYS)
    assert ApiKey.objects.filter(name="batch job").count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"team": "globex"},
        {"team": "acme/none"},
        {"name": ""},
        {"scopes": "admin"},
        {"scopes": ""},
        {"days": "0"},
        {"days": "-1"},
        {"days": "x"},
        {"name": "x" * 101},
    ],
)
def test_a_key_that_will_not_do_is_not_made_and_what_was_typed_stays(world, admin, wrong):
    before = ApiKey.objects.count()
    answer = new_key(admin, **wrong)
    assert answer.status_code == 422
    assert "field__error" in answer.content.decode() or wrong.get("team")
    assert ApiKey.objects.count() == before


def test_a_replaced_key_works_on_for_the_overlap(world, admin):
    path = f"/portal/rotate-key/{world.key.key_id}/dev/acme/"
    answer = admin.post(path, {"hours": "2", "token": fresh_token(admin, path)})
    assert "goes on working for 2 h" in answer.content.decode()
    old = ApiKey.objects.get(pk=world.key.key_id)
    assert old.revoked_at is None
    assert old.expires_at is not None
    assert timedelta(hours=1, minutes=59) < old.expires_at - timezone.now() <= timedelta(hours=2)
    assert old.replaced_by is not None
    assert f"hw_{old.replaced_by.key_id}_" in secret_in(answer)
    assert admin.post(path, {"hours": "200", "token": "t"}).status_code == 200, "asked again, not done"
    assert admin.post(path, {"hours": "1", "token": "u"}).status_code == 409


def test_a_revoked_key_is_revoked_in_the_next_directory_and_stays_so(world, admin):
    path = f"/portal/revoke-key/{world.key.key_id}/dev/acme/"
    assert "cannot be undone" in admin.get(path).content.decode()
    assert ApiKey.objects.get(pk=world.key.key_id).revoked_at is None, "looking revokes nothing"
    assert admin.post(path)["Location"] == KEYS
    row = ApiKey.objects.get(pk=world.key.key_id)
    assert row.revoked_at is not None
    assert directory().keys[row.key_id].revoked_at is not None
    assert OutboxEvent.objects.filter(topic="tenancy.directory_changed", done_at=None).exists()
    assert "is revoked" in admin.get(KEYS).content.decode()
    assert row.key_id in admin.get(KEYS + "?all=1").content.decode()


@pytest.mark.parametrize("page", ["create-key", "rotate-key/KEY", "revoke-key/KEY", "move-share"])
def test_members_look_and_change_nothing(world, member, page):
    before = ApiKey.objects.count()
    path = f"/portal/{page.replace('KEY', world.key.key_id)}/dev/acme/"
    asked = {"name": "x", "team": "acme", "scopes": "inference", "giver": "acme/search", "taker": "acme/shop"}
    assert member.post(path, asked | {"amount": "1", "hours": "1"}).status_code == 403
    assert (ApiKey.objects.count(), TeamShare.objects.filter(tenant__startswith="acme").count()) == (
        before,
        0,
    )
    page = member.get(KEYS).content.decode()
    assert "Create key" not in page
    assert "revoke-key" not in page


def test_the_services_ask_for_themselves(world):
    """Whatever a view forgets."""
    mia, gil = person("mia", Role.TENANT_MEMBER, "acme"), person("gil", Role.TENANT_ADMIN, "globex")
    olga = person("olga", Role.OPERATOR)
    asked = {"place": place(), "team": "acme", "name": "k", "scopes": ["inference"], "expires_at": None}
    with pytest.raises(Forbidden):
        services.create_key(actor=mia, **asked)
    for stranger in (gil, olga):
        with pytest.raises(NotFound):
            services.create_key(actor=stranger, **asked)
        with pytest.raises(NotFound):
            services.revoke_key(actor=stranger, place=place(), key_id=world.key.key_id)
    ana = person("ana", Role.TENANT_ADMIN, "acme")
    with pytest.raises(Invalid):
        services.create_key(actor=ana, **{**asked, "team": "globex"})
    with pytest.raises(NotFound):
        services.rotate_key(actor=ana, place=place(), key_id=world.their_key.key_id, overlap=timedelta(0))
    User.objects.filter(pk=ana.pk).update(is_active=False)
    ana.refresh_from_db()
    with pytest.raises(NotFound):
        services.create_key(actor=ana, **asked)


# -- shares -----------------------------------------------------------------------------------------


def version(client, tenant="acme", number=0):
    page = client.get(f"/portal/teams/dev/{tenant}/").content.decode()
    forms = [form for form in page.split("<form") if "move-share" in form]
    return re.findall(r'name="version" value="([^"]+)"', forms[number])[0]


def move(client, giver="acme/search", taker="acme/shop", amount="0.5", tenant="acme", **more):
    asked = {"giver": giver, "taker": taker, "amount": amount, "version": version(client)}
    return client.post(f"/portal/move-share/dev/{tenant}/", asked | more)


def weights():
    return dict(TeamShare.objects.filter(tenant__startswith="acme/").values_list("tenant", "weight_ppm"))


def test_a_share_moves_between_teams_and_their_sum_stays(world, admin):
    page = admin.get("/portal/teams/dev/acme/").content.decode()
    assert "60 %" in page, "search has weight 3 of 5: 3 + 1 + the tenant's own traffic"
    assert move(admin).status_code == 302
    assert weights() == {"acme/search": 2_500_000, "acme/shop": 1_500_000}
    assert directory().shares["acme/search"] == 2_500_000
    page = admin.get("/portal/teams/dev/acme/").content.decode()
    assert "50 %" in page
    assert "moved by your administrators; the policy gives 3" in page
    actions = list(AuditEntry.objects.order_by("-seq").values_list("action", "actor_name")[:2])
    assert actions == [("team_share.moved", "ana")] * 2
    assert move(admin, "acme/shop", "acme/search").status_code == 302
    assert weights() == {"acme/search": 3_000_000, "acme/shop": 1_000_000}


@pytest.mark.parametrize(
    ("giver", "taker"),
    [
        ("acme/search", "globex/plant"),
        ("globex/plant", "acme/search"),
        ("globex/plant", "globex/office"),
        ("acme/search", "acme"),
        ("acme", "globex"),
        ("acme/search", "acme/search"),
        ("acme/search", "acme/shop/nights"),
        ("acme/search", "acme/nobody"),
    ],
)
def test_beyond_the_delegation_is_refused_with_its_code(world, admin, giver, taker):
    for answer in (
        move(admin, giver, taker),
        admin.get("/portal/preview-share/dev/acme/", {"giver": giver, "taker": taker, "amount": "0.5"}),
    ):
        assert "beyond_delegation" in answer.content.decode()
        assert "Plant Seven" not in answer.content.decode()
    assert move(admin, giver, taker).status_code == 403
    assert weights() == {}


@pytest.mark.parametrize(
    ("amount", "status"), [("3", 422), ("2.995", 422), ("2.99", 302), ("0", 422), ("-1", 422), ("x", 422)]
)
def test_a_team_keeps_a_part_and_nothing_is_moved_for_nothing(world, admin, amount, status):
    answer = move(admin, amount=amount)
    assert answer.status_code == status
    if amount in ("3", "2.995"):
        assert "share_too_small" in answer.content.decode()
        assert "at most 2.99 can be moved" in answer.content.decode()


def test_who_looked_at_older_weights_is_refused(world, admin):
    seen = version(admin)
    assert move(admin, version=seen).status_code == 302
    late = move(admin, version=seen)
    assert late.status_code == 409
    assert "stale_edit" in late.content.decode()
    assert weights() == {"acme/search": 2_500_000, "acme/shop": 1_500_000}


def test_deeper_teams_divide_what_their_parent_gets(world, admin):
    asked = {"giver": "acme/shop/nights", "taker": "acme/shop/days", "amount": "0.25"}
    answer = admin.post("/portal/move-share/dev/acme/", asked | {"version": version(admin, number=1)})
    assert answer.status_code == 302
    assert weights() == {"acme/shop/days": 1_250_000, "acme/shop/nights": 750_000}


def test_the_preview_says_what_would_change_and_writes_nothing(world, admin):
    answer = admin.get(
        "/portal/preview-share/dev/acme/", {"giver": "acme/search", "taker": "acme/shop", "amount": "1"}
    )
    text = answer.content.decode()
    assert "60 % → 40 %" in text
    assert "20 % → 40 %" in text
    assert "Nothing stands against it" in text
    assert weights() == {}


def test_the_policy_s_own_checks_speak_up_about_a_move(world, admin, monkeypatch):
    from coordination.diagnostics import Diagnostic, ObjectRef
    from policies.mapping.sets import Stored

    def found(object_, related=()):
        return Diagnostic(
            code="QUOTA503",
            severity="error",
            message="two weights",
            location=None,
            object=object_,
            json_pointer="",
            related=related,
            notes=(),
            fix=None,
            help_url="",
        )

    def check(self, environment, at):
        return [found(ObjectRef("Quota", "acme-search")), found(ObjectRef("Quota", "globex-plant"))]

    monkeypatch.setattr(Stored, "check", check)
    answer = move(admin)
    assert answer.status_code == 422
    text = admin.get(
        "/portal/preview-share/dev/acme/", {"giver": "acme/search", "taker": "acme/shop", "amount": "1"}
    ).content.decode()
    assert text.count("QUOTA503") == 1, "its own, and nobody else's"
    assert weights() == {}


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(shares.LEAST, 10**9), min_size=2),
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.integers(-5, 10**9)), max_size=20
    ),
)
def test_no_row_of_moves_makes_weight_or_starves_a_team(weights, moves):
    """Whatever is let through."""
    now = weights
    for giver, taker, amount in moves:
        if giver == taker or not {giver, taker} <= set(now):
            continue
        then = shares.after(now, giver, taker, amount)
        try:
            services.require_possible(now, then, giver, amount)
        except Invalid:
            continue
        now = then
    assert sum(now.values()) == sum(weights.values())
    assert min(now.values()) >= shares.LEAST
