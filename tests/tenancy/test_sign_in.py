"""Signing in: who may, from where, how often a guess is heard, and what it never tells."""

from __future__ import annotations

import pytest
from django.test import Client

from tenancy.models import Role, User
from tenancy.permissions import may_see_platform, may_sign_in_from
from tenancy.selectors import anybody, roles, tenants
from tenancy.services import DemoAccount, NameTaken, remove_demo_accounts, replace_demo_accounts

pytestmark = pytest.mark.django_db

CAST = [
    DemoAccount("operator", "correct horse", Role.OPERATOR.value),
    DemoAccount("acme", "battery staple", Role.TENANT_ADMIN.value, "acme"),
]


def sign_in(client: Client, username: str, password: str, address: str = "127.0.0.1"):
    return client.post("/sign-in/", {"username": username, "password": password}, REMOTE_ADDR=address)


@pytest.fixture
def demo():
    replace_demo_accounts(accounts=CAST)


@pytest.mark.parametrize("path", ["/", "/status/", "/portal/"])
def test_every_screen_asks_who_is_there(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={path}")


@pytest.mark.parametrize(
    ("username", "password"), [("operator", "correct horse"), ("acme", "battery staple")]
)
def test_the_right_password_opens(client, demo, username, password):
    assert sign_in(client, username, password).status_code == 302
    assert client.get("/", follow=True).status_code == 200


def test_a_wrong_password_and_an_unknown_name_read_the_same(client, demo):
    wrong = sign_in(client, "operator", "guess")
    unknown = sign_in(client, "nobody", "guess")
    said = [list(answer.context["form"].non_field_errors()) for answer in (wrong, unknown)]
    assert said[0] == said[1]
    assert len(said[0]) == 1


@pytest.mark.parametrize("address", ["10.0.0.7", "192.0.2.1", "2001:db8::1", ""])
def test_demo_accounts_are_refused_from_another_machine_as_if_they_did_not_exist(client, demo, address):
    answer = sign_in(client, "operator", "correct horse", address)
    assert answer.status_code == 200
    assert len(answer.context["form"].non_field_errors()) == 1
    assert "_auth_user_id" not in client.session


def test_a_person_s_own_account_opens_from_anywhere(client):
    User.objects.create_user("ada", password="a long pass phrase")
    assert sign_in(client, "ada", "a long pass phrase", "192.0.2.1").status_code == 302


def test_guessing_is_cut_off_even_for_the_right_password_and_says_for_how_long(client, demo, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        last = sign_in(client, "operator", "guess")
    assert last.status_code == 429
    assert last["Retry-After"] == "900"
    assert sign_in(client, "operator", "correct horse").status_code == 429
    assert sign_in(Client(), "acme", "battery staple").status_code == 302


def test_signing_out_takes_a_post(client, demo):
    sign_in(client, "operator", "correct horse")
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").status_code == 302
    assert client.get("/status/").status_code == 302


def test_signing_in_takes_the_page_s_own_token(demo):
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict, "operator", "correct horse").status_code == 403


def test_a_new_start_s_passwords_replace_the_old_and_end_their_sessions(client, demo):
    sign_in(client, "operator", "correct horse")
    replace_demo_accounts(accounts=[DemoAccount("operator", "another", Role.OPERATOR.value)])
    assert client.get("/status/").status_code == 302
    assert not User.objects.filter(username="acme").exists()
    assert "_auth_user_id" not in sign_in(Client(), "operator", "correct horse").wsgi_request.session


def test_a_person_s_account_is_never_overwritten_by_the_demo():
    User.objects.create_user("acme", password="a long pass phrase")
    with pytest.raises(NameTaken, match=r"acme.*--no-demo"):
        replace_demo_accounts(accounts=CAST)
    assert User.objects.count() == 1


def test_without_the_demo_its_accounts_are_gone_and_people_s_stay(demo):
    User.objects.create_user("ada")
    remove_demo_accounts()
    assert list(User.objects.values_list("username", flat=True)) == ["ada"]
    User.objects.update(is_active=False)
    assert not anybody()


@pytest.mark.parametrize("password", ["short", "password1234", "operator2024"])
def test_weak_passwords_are_refused_where_people_choose_them(password):
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        validate_password(password, User(username="operator"))


def test_roles_come_from_memberships_and_the_first_administrator_is_an_operator(demo):
    operator, acme = User.objects.get(username="operator"), User.objects.get(username="acme")
    root = User.objects.create_superuser("root")
    assert (set(roles(operator)), tenants(operator)) == ({"operator"}, [])
    assert (set(roles(acme)), tenants(acme)) == (set(), ["acme"])
    assert roles(root) == {"operator"}
    assert [may_see_platform(user) for user in (operator, acme, root)] == [True, False, True]


@pytest.mark.parametrize(
    ("is_demo", "address", "may"), [(True, "::1", True), (True, "10.1.1.1", False), (False, "10.1.1.1", True)]
)
def test_where_an_account_may_sign_in_from(is_demo, address, may):
    assert may_sign_in_from(User(is_demo=is_demo), address) is may
