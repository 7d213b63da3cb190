"""The overview says when what is written is not what runs: why, which objects, and what to do."""

from __future__ import annotations

import re

import pytest

from console.mapping.ahead import ahead
from delivery import releases, trust
from fleet.models import Environment
from foundation.actors import SYSTEM
from policies import selectors, services
from policies.mapping.documents import as_json
from tests.console.conftest import ENVIRONMENT, edit, person
from tests.delivery.conftest import drain
from tests.support.found import found

pytestmark = pytest.mark.django_db
LIMITS = {"limits": [{"of": "requests", "per": "1m", "limit": 45}]}


def overview(client):
    page = client.get(f"/e/{ENVIRONMENT}/").content.decode()
    said = re.search(r'<section class="notice[^>]*aria-labelledby="ahead">(.*?)</section>', page, re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", said[1])).strip() if said else ""


def test_after_a_rollback_it_says_which_revision_runs_and_how_to_release_the_other_again(
    running, operator, viewer
):
    assert overview(operator) == ""
    edit("Quota", "initech", LIMITS)
    assert overview(operator) == "", "it was released at once"
    releases.rollback(actor=person("olga"), environment=Environment.objects.get(pk=ENVIRONMENT))
    said = overview(operator)
    assert said.startswith("The documents are at revision 2, the gateways run the bundle of revision 1")
    assert "Release 3 went back to release 1" in said
    assert "Not in force: quota initech." in said
    assert said.endswith("Release revision 2 again")
    assert "again" not in overview(viewer)
    again = found(found(ahead(ENVIRONMENT)).again)
    confirmed = operator.get(f"/e/{ENVIRONMENT}/releases/{again.version}/roll-back/")
    assert confirmed.status_code == 200, "the button leads to a page that says what would change"
    releases.rollback(
        actor=person("olga"), environment=Environment.objects.get(pk=ENVIRONMENT), to_version=again.version
    )
    assert overview(operator) == ""


def test_what_was_just_saved_is_on_its_way_and_what_lacks_signatures_waits_for_them(
    running, operator, monkeypatch
):
    head = found(selectors.head(ENVIRONMENT, "Tier", "flex"))
    body = as_json(head.document)
    body["spec"]["queue"] = {"max_wait": "90s"}
    services.save_document(
        actor=SYSTEM,
        environment=ENVIRONMENT,
        kind="Tier",
        name="flex",
        body=body,
        base_digest=head.document_id,
        reason="patience is cheap",
    )
    said = overview(operator)
    assert "It is being built and released" in said
    assert "tier flex" in said
    monkeypatch.setattr(trust, "is_signed", lambda _digest: False)
    drain()
    assert "waits for signatures: headway sign" in overview(operator)
