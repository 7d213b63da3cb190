"""Raw records: every page opens for staff, nothing can be changed, and nobody else gets in."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from foundation.models import IdempotentRequest
from policies import services
from policies.models import Head
from tests.policies.conftest import put

pytestmark = pytest.mark.django_db


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def pages(kind):
    return [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}")
        for model in admin.site._registry
    ]


@pytest.fixture
def rows(dev):
    services.build_revision(revision=put("flex", "spec: {band: 100}"))


def test_staff_open_every_list_and_every_row(rows, viewer):
    client = client_of(viewer)
    assert client.get("/admin/").status_code == 200
    for address in pages("changelist"):
        assert client.get(address, {"q": "a"}).status_code == 200, address
    for model in admin.site._registry:
        row = model._default_manager.first()
        if row is not None:
            meta = model._meta
            address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
            assert client.get(address).status_code == 200, address


def test_a_document_is_shown_as_people_write_it(rows, viewer):
    head = Head.objects.get(kind="Tier", name="flex")
    page = client_of(viewer).get(reverse("admin:policies_tierhead_change", args=[head.pk]))
    assert "metadata: {name: flex}" in page.content.decode()


def test_a_list_of_one_kind_shows_only_that_kind(rows, viewer):
    page = client_of(viewer).get(reverse("admin:policies_tierhead_changelist")).content.decode()
    assert "flex" in page
    assert "everything" not in page


@pytest.mark.parametrize("kind", ["add", "changelist"])
def test_nothing_is_added_or_acted_upon(rows, operator, kind):
    client = client_of(operator)
    for address in pages(kind):
        response = client.post(address, {"action": "delete_selected", "_selected_action": ["1"]})
        assert response.status_code in ({403} if kind == "add" else {403, 200}), address
    assert Head.objects.filter(name="flex").exists()


@pytest.mark.parametrize("kind", ["change", "delete"])
def test_nothing_is_changed_or_deleted(rows, operator, kind):
    client = client_of(operator)
    for model in admin.site._registry:
        row = model._default_manager.first()
        if row is not None:
            before = type(row)._default_manager.filter(pk=row.pk).values().get()
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}"
            response = client.post(reverse(name, args=[row.pk]), {"post": "yes", "name": "x"})
            assert response.status_code == 403, name
            assert type(row)._default_manager.filter(pk=row.pk).values().get() == before


def test_only_the_platforms_staff_gets_in(rows, stranger):
    anonymous = Client().get("/admin/policies/bundle/", follow=True)
    assert anonymous.redirect_chain[-1][0] == "/sign-in/?next=/admin/policies/bundle/"
    assert client_of(stranger).get("/admin/", follow=True).status_code == 403
    assert (
        client_of(stranger).get(reverse("admin:policies_tierhead_changelist"), follow=True).status_code == 403
    )


def test_only_the_records_have_the_wider_content_policy(rows, viewer):
    client = client_of(viewer)
    assert "'unsafe-inline'" in client.get("/admin/")["Content-Security-Policy"]
    assert "'unsafe-inline'" not in client.get("/api/v1/environments")["Content-Security-Policy"]


def test_an_answer_that_was_kept_is_its_callers_alone(viewer):
    row = IdempotentRequest.objects.create(
        principal="user:1", key="k", fingerprint="f", started="2026-01-01T00:00Z", body=b"hw_secret"
    )
    address = reverse("admin:foundation_idempotentrequest_change", args=[row.pk])
    assert "hw_secret" not in client_of(viewer).get(address).content.decode()
