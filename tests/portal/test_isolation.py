"""Zero bytes of anybody else: every address and method of the portal and of REST, asked by a tenant's people.

The walk goes through what Django resolves, so an address that is added tomorrow is walked as well; one
whose arguments are not known here fails the test instead of being left out.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from foundation.actors import SYSTEM
from foundation.http.answers import unknown_address
from tenancy import credentials
from tenancy.models import ApiKey, Role, ServiceToken, TeamShare
from tests.console.conftest import client_of, person
from tests.portal.conftest import REQUEST_A, REQUEST_B

ASKED = {
    "GET": ("", "?tenant=globex&environment=dev", "?all=1&by=key&span=7d"),
    "HEAD": ("?tenant=globex&environment=dev",),
    "POST": ("", "?tenant=globex&environment=dev"),
    "PUT": ("",),
    "PATCH": ("",),
    "DELETE": ("",),
    "OPTIONS": ("",),
}
"""With which queries each method is asked: most with those that choose what is read."""
WALKED = ("portal/", "api/v1/")


def patterns(resolver, prefix=""):
    """(address with %(name)s in it, names of its arguments) of everything that is routed."""
    for each in resolver.url_patterns:
        text = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from patterns(each, text)
        elif isinstance(each, URLPattern):
            yield text


def walked():
    found = [text for text in patterns(get_resolver()) if text.startswith(WALKED)]
    assert len(found) > 40
    return found


def address(text, arguments):
    """An address of ``text`` with values of ``arguments``."""
    text = text.replace("\\Z", "").replace("^", "").replace("\\.", ".")

    def value(match):
        name = match[2] or match[1].rpartition(":")[2]
        assert name in arguments, f"what is {name} in {text}? Say so in this test."
        return str(arguments[name])

    # Regular expressions hold brackets of their own: the innermost first.
    while True:
        text, changed = re.subn(r"\[[^\]]*\](\{[0-9,]+\})?|\{[0-9,]+\}", "", text), 0
        text = text[0]
        text, changed = re.subn(
            r"(<[^<>]+>)|\(\?P<([a-z_]+)>[^()]*(?:\([^()]*\)[^()]*)*\)",
            lambda m: value((m[0], (m[1] or "")[1:-1], m[2])),
            text,
        )
        if not changed:
            return "/" + text


def arguments(world, *, theirs):
    return {
        "environment": "dev",
        "tenant": "globex" if theirs else "acme",
        "name": "globex" if theirs else "acme",
        "key": world.their_key.key_id if theirs else world.key.key_id,
        "request_id": REQUEST_B if theirs else REQUEST_A,
        "kind": "Tenant",
        "version": 1,
        "number": 1,
        "digest": "sha256:" + "0" * 64,
        "revision": "sha256:" + "0" * 64,
        "gateway": "gw_" + "0" * 26,
        "override": "ovr_" + "0" * 26,
    }


def ask(client, method, path):
    return client.generic(method, path, data='{"tenant": "globex"}', content_type="application/json")


def everything(answer):
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode("utf-8", "replace") + "\n" + str(dict(answer.headers))


def session(role):
    return client_of(person("ana", role, "acme"))


def program():
    """A token with every scope there is, of one of the tenant's people."""
    owner = person("ana", Role.TENANT_ADMIN, "acme")
    made = credentials.create_service_token(
        actor=SYSTEM, owner=owner, name="ci", scopes=ServiceToken.Scope.values, life=timedelta(days=1)
    )
    return Client(headers={"authorization": f"Bearer {made.secret}"})


PRINCIPALS = {
    "administrator": lambda: session(Role.TENANT_ADMIN),
    "member": lambda: session(Role.TENANT_MEMBER),
    "program": program,
}


@pytest.mark.parametrize("principal", PRINCIPALS)
@pytest.mark.parametrize("theirs", [False, True], ids=["own names", "their names"])
def test_no_answer_to_anybody_of_one_tenant_holds_a_byte_of_another(world, principal, theirs):
    client = PRINCIPALS[principal]()
    asked, answered = 0, 0
    for text in walked():
        path = address(text, arguments(world, theirs=theirs))
        assert resolve(path).func is not unknown_address, f"{text} was not reached by {path}"
        for method, queries in ASKED.items():
            for query in queries:
                answer = ask(client, method, path + query)
                assert answer.status_code < 500, (method, path, answer.content[:300])
                told = everything(answer).replace(path, "")
                sent = {"globex", world.their_key.key_id, REQUEST_B} if theirs or "globex" in query else set()
                leaked = [secret for secret in world.secrets if secret not in sent and secret in told]
                assert not leaked, (method, path + query, leaked)
                asked, answered = asked + 1, answered + (answer.status_code == 200 and method == "GET")
    assert asked > 450
    assert theirs or principal == "program" or answered > 30, "or else nothing was looked at"
    assert ApiKey.objects.get(pk=world.their_key.key_id).revoked_at is None
    assert set(TeamShare.objects.values_list("tenant", "weight_ppm")) == {("globex/plant", 271_828)}


def test_the_walk_would_find_a_leak(world):
    """The same look at what the platform's own staff are told does find it."""
    client = client_of(person("olga", Role.OPERATOR))
    told = everything(ask(client, "GET", "/api/v1/environments/dev/keys"))
    assert any(secret in told for secret in world.secrets)


PORTAL = [text for text in patterns(get_resolver()) if text.startswith("portal/") and "<" in text]


@pytest.mark.parametrize("text", PORTAL)
def test_another_s_tenant_reads_like_one_that_does_not_exist(world, admin, text):
    known = arguments(world, theirs=False)
    answers = []
    for tenant in ("globex", "globex/plant", "nobody-at-all", "acme/none", "acmex"):
        path = address(text, known | {"tenant": tenant})
        answers += [admin.get(path), admin.post(path)]
    got, posted = answers[::2], answers[1::2]
    assert {answer.status_code for answer in got} <= {404, 405}
    assert {answer.status_code for answer in posted} <= {404, 405}
    assert len({answer.status_code for answer in got}) == 1
    assert len({answer.content for answer in got if answer.status_code == 404}) <= 1


@pytest.mark.parametrize("page", ["rotate-key", "revoke-key"])
def test_a_key_of_another_tenant_cannot_be_reached_by_its_id(world, admin, page):
    their = world.their_key.key_id
    for method in (admin.get, admin.post):
        assert method(f"/portal/{page}/{their}/dev/acme/", {"hours": "0"}).status_code == 404
    row = ApiKey.objects.get(pk=their)
    assert (row.revoked_at, row.replaced_by) == (None, None)


def test_a_team_s_administrator_reaches_neither_parent_nor_sibling(world, team_admin):
    assert team_admin.get("/portal/overview/dev/acme/search/").status_code == 200
    for tenant in ("acme", "acme/shop"):
        assert team_admin.get(f"/portal/overview/dev/{tenant}/").status_code == 404
    own = world.key.key_id
    assert team_admin.post(f"/portal/revoke-key/{own}/dev/acme/search/").status_code == 404
    page = team_admin.get("/portal/keys/dev/acme/search/").content.decode()
    assert world.team_key.key_id in page
    assert own not in page


def test_staff_have_no_tenant_of_their_own(world, db):
    client = client_of(person("olga", Role.OPERATOR))
    assert client.get("/portal/overview/dev/acme/").status_code == 404


@pytest.mark.parametrize("text", PORTAL)
def test_whoever_is_not_signed_in_is_asked_to(world, text):
    path = address(text, arguments(world, theirs=False))
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/sign-in/")


@pytest.mark.parametrize("page", ["create-key", "move-share", "revoke-key/KEY", "rotate-key/KEY"])
def test_a_form_of_another_site_changes_nothing(world, page):
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("ana", Role.TENANT_ADMIN, "acme"))
    before = ApiKey.objects.count()
    path = f"/portal/{page.replace('KEY', world.key.key_id)}/dev/acme/"
    assert client.post(path, {"name": "x", "team": "acme", "scopes": "inference"}).status_code == 403
    assert ApiKey.objects.count() == before
    assert ApiKey.objects.get(pk=world.key.key_id).revoked_at is None
