"""Every address, by every method, as everybody who may not: nothing fails, nothing leaks, nothing moves."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLResolver, get_resolver

from delivery.models import Override
from tenancy.models import ApiKey, Role
from tests.console.conftest import (  # noqa: F401 - fixtures
    ENVIRONMENT,
    client_of,
    lived_in,
    person,
    quickstart,
    running,
)
from tests.support.found import found

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PUBLIC = {"healthz", "readyz", "sign-in/", "api/v1/schema/"}
GUARDED = (
    "policies.EnvironmentHead",
    "policies.Head",
    "policies.ChangeSet",
    "policies.Operation",
    "policies.Check",
    "policies.Revision",
    "delivery.Pointer",
    "delivery.Release",
    "delivery.Override",
    "delivery.TrustRoot",
    "fleet.Gateway",
    "fleet.EnrolmentToken",
    "fleet.Environment",
    "tenancy.ApiKey",
    "tenancy.TeamShare",
    "tenancy.TeamLimit",
    "tenancy.LimitCredit",
    "tenancy.ServiceToken",
    "tenancy.Membership",
    "simulations.Trace",
    "simulations.StoredProfile",
    "simulations.MadeOf",
    "simulations.Scenario",
    "simulations.Simulation",
    "simulations.Run",
    "foundation.AuditEntry",
)
SEEN_BY_USE = {"last_used_at", "last_login"}


def addresses(key, gateway, override):
    """Every address of the site but the records' own, with something that exists for each part."""
    part = {
        "environment": ENVIRONMENT,
        "kind": "Quota",
        "name": "acme",
        "slug": "quotas",
        "number": "1",
        "version": "1",
        "revision": "1",
        "gateway": gateway,
        "key": key,
        "override": override,
        "tenant": "acme",
        "seq": "1",
        "token": "1",
        "request_id": "req_0",
    }

    def walk(resolver, before):
        for pattern in resolver.url_patterns:
            path = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                if not str(pattern.pattern).startswith("admin"):
                    yield from walk(pattern, path)
            else:
                yield path

    for raw in walk(get_resolver(), ""):
        path = re.sub(
            r"<(?:\w+:)?(\w+)>", lambda match: part[match[1]], re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", raw)
        )
        yield path.replace("^", "").replace(r"\Z", "")


def state():
    """Everything that only a service may change."""
    return {
        label: [
            {key: value for key, value in row.items() if key not in SEEN_BY_USE}
            for row in apps.get_model(label)._default_manager.order_by("pk").values()
        ]
        for label in GUARDED
    }


@pytest.fixture
def place(lived_in, running):  # noqa: F811 - the fixtures
    key = found(ApiKey.objects.filter(revoked_at=None).first()).key_id
    waiting = found(Override.objects.filter(issued_at=None).first()).pk
    return sorted(set(addresses(key, running[0].id, waiting)))


ROLES = {
    "nobody": lambda: Client(),
    "a person without a role": lambda: client_of(person("noor")),
    "another tenant's administrator": lambda: client_of(person("gus", Role.TENANT_ADMIN, "globex")),
    "a viewer": lambda: client_of(person("vera", Role.VIEWER)),
}


@pytest.mark.slow
@pytest.mark.parametrize("who", ROLES)
def test_whoever_may_not_change_anything_changes_nothing_at_any_address(place, who):
    client = ROLES[who]()
    client.raise_request_exception = False
    before = state()
    assert len(place) > 60
    failed, let_in = [], []
    for path in place:
        for method in METHODS:
            answer = client.generic(method, f"/{path}", b"{}", content_type="application/json")
            if answer.status_code >= 500:
                failed.append(f"{method} /{path}: {answer.status_code}")
            if who == "nobody" and answer.status_code < 300 and path not in PUBLIC and method == "GET":
                let_in.append(path)
            if method != "GET" and answer.status_code < 300 and path not in PUBLIC:
                let_in.append(f"{method} /{path}")
    assert failed == []
    assert [each for each in let_in if not _only_looks(each)] == []
    assert state() == before


def _only_looks(place: str) -> bool:
    """Addresses that are posted to and change nothing: a draft that is checked, a route that is tried."""
    return bool(re.search(r"/(draft|try|plan|preview-share)(/|$)|ws-tickets", place))


@pytest.mark.slow
def test_an_operator_without_a_form_s_secret_changes_nothing_by_form(place):
    """A page elsewhere cannot have an operator's browser do anything."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("olga", Role.OPERATOR))
    before = state()
    let_in = []
    for path in place:
        answer = client.post(f"/{path}", {})
        if answer.status_code not in (401, 403, 404, 405) and path not in PUBLIC:
            let_in.append((path, answer.status_code))
    assert let_in == []
    assert state() == before
