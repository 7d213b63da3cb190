"""A change set on its page: merged if it is sound and still what was looked at, closed, and by whom."""

from __future__ import annotations

import re

import pytest

from policies import selectors
from policies import services as policy
from policies.mapping.documents import as_json
from policies.models import ChangeSet
from tenancy.models import Role
from tests.console.conftest import person
from tests.support.found import found

BASE = "/e/dev"


def body_of(name, **changes):
    body = as_json(found(selectors.head("dev", "Tier", name)).document)
    body["spec"] |= changes
    return body


def put(made, name="flex", **changes):
    policy.put_operation(
        actor=person("ada", Role.OPERATOR),
        change_set=made,
        kind="Tier",
        name=name,
        body=body_of(name, **changes),
        base_digest=found(selectors.head("dev", "Tier", name)).document_id,
    )


@pytest.fixture
def proposed(quickstart) -> ChangeSet:
    made = policy.open_change_set(actor=person("ada", Role.OPERATOR), environment="dev", reason="Later")
    put(made, band=90)
    return made


def page_of(client, made):
    return client.get(f"{BASE}/changes/{made.pk}/").content.decode()


def head_on(page):
    return found(re.search(r'name="head" value="([^"]*)"', page))[1]


def press(client, made, deed, **fields):
    pressed = client.post(f"{BASE}/changes/{made.pk}/{deed}/", fields)
    made.refresh_from_db()
    return pressed


def band():
    return body_of("flex")["spec"]["band"]


def test_what_was_looked_at_is_merged_and_the_page_says_as_what(proposed, operator):
    page = page_of(operator, proposed)
    assert ">Merge</button>" in page
    pressed = press(operator, proposed, "merge", head=head_on(page))
    assert (pressed.status_code, pressed["Location"]) == (302, f"{BASE}/changes/{proposed.pk}/")
    assert (proposed.state, band()) == ("merged", 90)
    number = found(selectors.current_revision("dev")).number
    page = page_of(operator, proposed)
    assert f"Change set {proposed.pk} is merged as revision {number}." in page
    assert ">Merge</button>" not in page
    assert "/close/" not in page


def test_what_was_edited_since_is_not_merged(proposed, operator):
    head = head_on(page_of(operator, proposed))
    put(proposed, band=80)
    press(operator, proposed, "merge", head=head)
    assert (proposed.state, band()) == ("open", 100)
    page = page_of(operator, proposed)
    assert "was edited" in page
    press(operator, proposed, "merge", head=head_on(page))
    assert (proposed.state, band()) == ("merged", 80)


def test_what_is_unsound_has_no_merge_and_nothing_is_lost_by_trying(proposed, operator):
    put(proposed, overflow={"downgrade": "nowhere"})
    page = page_of(operator, proposed)
    assert re.search(r"<button[^>]* disabled[^>]*>Merge</button>", page)
    assert "REF" in page
    press(operator, proposed, "merge", head=head_on(page))
    assert (proposed.state, band()) == ("open", 100)


def test_one_is_closed_once_and_nothing_of_it_comes_into_force(proposed, operator):
    press(operator, proposed, "close")
    assert (proposed.state, band()) == ("closed", 100)
    assert "is closed: nothing of it came into force" in page_of(operator, proposed)
    press(operator, proposed, "merge", head=proposed.head_digest)
    assert (proposed.state, band()) == ("closed", 100)
    press(operator, proposed, "close")
    assert proposed.state == "closed"


def test_who_may_only_look_has_neither_and_gets_neither(proposed, viewer):
    page = page_of(viewer, proposed)
    assert ">Merge</button>" not in page
    assert "/close/" not in page
    for deed in ("merge", "close"):
        assert press(viewer, proposed, deed, head=proposed.head_digest).status_code == 403
    assert (proposed.state, band()) == ("open", 100)
