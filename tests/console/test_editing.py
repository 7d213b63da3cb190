"""An operator edits an object: one input a field, errors where they belong, nobody's work lost."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from policies import selectors
from policies.mapping.documents import as_json
from policies.models import Revision
from tests.console.conftest import ENVIRONMENT, edit
from tests.support.forms import Form
from tests.support.found import found

pytestmark = pytest.mark.django_db
POLICIES = f"/e/{ENVIRONMENT}/policies"
QUOTA = f"{POLICIES}/quotas/initech/"
EXPECTATION = f"{POLICIES}/expectations/acme-is-served-from-its-reservation/"
RESERVATION = f"{POLICIES}/reservations/acme-chat/"


@pytest.fixture(autouse=True)
def released(running):
    """The quickstart, and two gateways that run it."""


def spec(kind, name):
    return as_json(found(selectors.head(ENVIRONMENT, kind, name)).document)["spec"]


def errors_at(response):
    """What each field's element says is wrong: its id without the prefix -> the text."""
    page = response.content.decode()
    slots = re.findall(r'id="f-([^"]+)--errors"[^>]*>(.*?)</div>', page, re.S)
    return {name: re.sub(r"<[^>]+>", "", text).strip() for name, text in slots if text.strip()}


def test_a_field_with_a_unit_says_it_beside_its_input(operator):
    page = operator.get(RESERVATION).content.decode()
    said = found(re.search(r'id="f-spec-throughput-input--unit">([^<]+)<', page))[1]
    assert said == "tokens/min"


def test_what_is_saved_is_one_revision_and_leads_to_how_far_it_has_come(operator):
    page = operator.get(QUOTA)
    before = Revision.objects.count()
    form = Form(page)
    saved = operator.post(form.action, form.filled(spec__limits__0__limit="5", reason="too loud"))
    assert (saved.status_code, Revision.objects.count()) == (302, before + 1)
    assert spec("Quota", "initech")["limits"][0]["limit"] == 5
    after = operator.get(saved.url).content.decode()
    number = before + 1
    assert f"/e/{ENVIRONMENT}/following/{number}/" in after
    assert "Quota initech saved" in after
    assert (
        found(selectors.revision(found(selectors.current_revision(ENVIRONMENT)).digest)).author_name == "olga"
    )


def test_the_yaml_side_is_saved_when_it_was_typed_into_last(operator):
    form = Form(operator.get(QUOTA))
    text = form["yaml"].replace("limit: 60", "limit: 7")
    assert text != form["yaml"]
    operator.post(form.action, form.filled(yaml=text, source="yaml"))
    assert spec("Quota", "initech")["limits"][0]["limit"] == 7


def test_a_value_that_cannot_be_read_is_told_at_its_field_and_nothing_typed_is_lost(operator):
    form = Form(operator.get(QUOTA))
    refused = operator.post(form.action, form.filled(spec__limits__0__limit="plenty", reason="mine"))
    assert refused.status_code == 422
    again = Form(refused)
    assert again.invalid == {"spec/limits/0/limit"}
    assert list(errors_at(refused)) == ["spec-limits-0-limit"]
    assert (again["spec/limits/0/limit"], again["reason"]) == ("plenty", "mine")
    assert spec("Quota", "initech")["limits"][0]["limit"] == 60


def test_a_table_of_blocks_is_filled_in_and_saved_entry_by_entry(operator):
    """Each entry has its name and its fields; one is added, named, filled, and another taken away."""
    page = operator.get(EXPECTATION)
    draft = f"/e/{ENVIRONMENT}/draft/expectations/"
    added = operator.post(draft, {**Form(page).filled(), "arrange": "add spec/given/fleet"})
    more = {"spec__given__fleet__1__key": "chat-b", "spec__given__fleet__1__value__load": "40"}
    form = Form(page)
    form.fields |= fields_in(added)
    saved = operator.post(form.action, form.filled(**more))
    assert saved.status_code == 302, errors_at(saved)
    name = "acme-is-served-from-its-reservation"
    assert spec("Expectation", name)["given"]["fleet"] == {
        "chat-a": {"load": "95%"},
        "chat-b": {"load": "40%"},
    }

    page = operator.get(EXPECTATION)
    dropped = operator.post(draft, {**Form(page).filled(), "arrange": "drop spec/given/fleet/1"})
    form = Form(page)
    form.fields = {key: held for key, held in form.fields.items() if "fleet" not in key} | fields_in(dropped)
    assert operator.post(form.action, form.filled()).status_code == 302
    assert spec("Expectation", name)["given"]["fleet"] == {"chat-a": {"load": "95%"}}


def fields_in(response):
    """The fields that an answer draws anew."""
    return Form(SimpleNamespace(content=b'<form id="editor" action="/">' + response.content)).fields


def test_what_is_wrong_in_an_entry_of_a_table_is_told_there(operator):
    form = Form(operator.get(EXPECTATION))
    before = Revision.objects.count()
    wrong = {
        "load": ("spec__given__fleet__0__value__load", "busy"),
        "pool": ("spec__given__fleet__0__key", "nowhere"),
    }
    for input_name, text in wrong.values():
        refused = operator.post(form.action, form.filled(**{input_name: text}))
        assert refused.status_code == 422
        place = input_name.replace("__", "/")
        assert Form(refused).invalid == {place}
        assert list(errors_at(refused)) == [place.replace("/", "-")]
        assert Form(refused)[place] == text
        answer = operator.post(f"/e/{ENVIRONMENT}/draft/expectations/", form.filled(**{input_name: text}))
        assert f'data-at="f-{place.replace("/", "-")}"' in answer.content.decode()
    assert Revision.objects.count() == before


def test_a_name_that_a_table_has_already_is_refused_at_the_second_and_both_stay(operator):
    form = Form(operator.get(EXPECTATION))
    form.fields["spec/given/fleet"] = ["0", "1"]
    form.fields |= {"spec/given/fleet/1/key": ["chat-a"], "spec/given/fleet/1/value/load": ["5"]}
    refused = operator.post(form.action, form.filled())
    assert (refused.status_code, Revision.objects.count()) == (422, 1)
    again = Form(refused)
    assert again.invalid == {"spec/given/fleet/1/key"}
    assert "has an entry above already" in errors_at(refused)["spec-given-fleet-1-key"]
    assert (again["spec/given/fleet/0/value/load"], again["spec/given/fleet/1/value/load"]) == ("95", "5")


def test_an_oversold_reservation_is_refused_at_its_throughput(operator):
    form = Form(operator.get(RESERVATION))
    before = Revision.objects.count()
    refused = operator.post(form.action, form.filled(spec__throughput__input="900M"))
    assert (refused.status_code, Revision.objects.count()) == (422, before)
    told = errors_at(refused)
    assert told
    assert all(place.startswith("spec-throughput") for place in told), told
    assert "CAP201" in refused.content.decode()
    assert Form(refused)["spec/throughput/input"] == "900M"


def test_an_edit_that_oversells_somebody_else_is_refused_at_the_field_that_did_it(operator):
    """The pool is made smaller; the finding is about the reservations on it."""
    pool = spec("Reservation", "acme-chat")["pool"]
    form = Form(operator.get(f"{POLICIES}/pools/{pool}/"))
    refused = operator.post(form.action, form.filled(spec__reservable="1%"))
    assert refused.status_code == 422
    assert "CAP201" in refused.content.decode()
    assert errors_at(refused), "some field of the pool says so"


@pytest.mark.parametrize("typed", ["900M", "plenty"], ids=["oversold", "unreadable"])
def test_as_it_is_typed_the_findings_come_at_their_fields(operator, typed):
    form = Form(operator.get(RESERVATION))
    answer = operator.post(
        f"/e/{ENVIRONMENT}/draft/reservations/", form.filled(spec__throughput__input=typed)
    ).content.decode()
    assert re.search(r'data-at="f-spec-throughput[^"]*"', answer)
    assert Revision.objects.count() == 1


def test_of_two_who_edit_the_same_field_the_second_sees_both_and_loses_nothing(operator):
    form = Form(operator.get(QUOTA))
    edit("Quota", "initech", {"limits": [{"of": "requests", "per": "1m", "limit": 45}]}, reason="theirs")
    refused = operator.post(form.action, form.filled(spec__limits__0__limit="30", spec__concurrency="16"))
    assert refused.status_code == 409
    page = refused.content.decode()
    assert "Both edits, put together" in page
    assert spec("Quota", "initech")["limits"][0]["limit"] == 45, "nothing was written over"
    merged = Form(refused)
    assert merged["spec/limits/0/limit"] == "30", "yours stands where both changed the same"
    assert merged["spec/concurrency"] == "16"
    saved = operator.post(merged.action, merged.filled())
    assert saved.status_code == 302
    assert spec("Quota", "initech")["limits"][0]["limit"] == 30


def test_of_two_who_edit_different_fields_both_are_kept(operator):
    form = Form(operator.get(QUOTA))
    edit("Quota", "initech", {"concurrency": 64}, reason="theirs")
    merged = Form(operator.post(form.action, form.filled(spec__limits__0__limit="30")))
    assert operator.post(merged.action, merged.filled()).status_code == 302
    now = spec("Quota", "initech")
    assert (now["limits"][0]["limit"], now["concurrency"]) == (30, 64)


def test_a_form_that_is_sent_twice_is_saved_once(operator):
    form = Form(operator.get(QUOTA))
    sent = form.filled(spec__limits__0__limit="30")
    first, second = operator.post(form.action, sent), operator.post(form.action, sent)
    assert first.status_code == second.status_code == 302
    assert first.url == second.url
    assert Revision.objects.count() == 2


def test_an_object_is_deleted_once_and_brought_back_from_its_history(operator):
    form = Form(operator.get(f"/e/{ENVIRONMENT}/new/tiers/"))
    made = operator.post(form.action, form.filled(name="spare", spec__band="7"))
    assert made.status_code == 302, errors_at(made)
    page = operator.get(f"/e/{ENVIRONMENT}/delete/tiers/spare/").content.decode()
    fields = dict(re.findall(r'name="(base|token)" value="([^"]*)"', page))
    assert operator.post(f"/e/{ENVIRONMENT}/delete/tiers/spare/", fields).status_code == 302
    assert selectors.head(ENVIRONMENT, "Tier", "spare") is None
    gone = operator.get(f"{POLICIES}/tiers/spare/")
    assert gone.status_code == 404
    back = dict(re.findall(r'name="(version|base|token)" value="([^"]*)"', gone.content.decode()))
    assert operator.post(f"/e/{ENVIRONMENT}/restore/tiers/spare/", back).status_code == 302
    assert spec("Tier", "spare")["band"] == 7


def test_an_object_that_others_need_is_not_deleted(operator):
    page = operator.get(f"/e/{ENVIRONMENT}/delete/tiers/priority/").content.decode()
    fields = dict(re.findall(r'name="(base|token)" value="([^"]*)"', page))
    refused = operator.post(f"/e/{ENVIRONMENT}/delete/tiers/priority/", fields)
    assert refused.status_code == 422
    assert selectors.head(ENVIRONMENT, "Tier", "priority")


def test_used_by_names_every_place_that_would_miss_it(operator):
    page = operator.get(f"{POLICIES}/pools/chat-a/").content.decode()
    used = page[page.index("Used by") :]
    rows = selectors.used_by(ENVIRONMENT, "Pool", "chat-a")
    assert rows
    for row in rows:
        assert row.name in used


def test_a_viewer_reads_everything_and_changes_nothing(viewer, operator):
    form = Form(operator.get(QUOTA))
    page = viewer.get(QUOTA).content.decode()
    assert "data-save" not in page
    assert re.search(r"<fieldset[^>]* disabled", page)
    refused = viewer.post(form.action, form.filled(spec__limits__0__limit="1"))
    assert refused.status_code == 403
    assert Revision.objects.count() == 1


def test_what_a_document_says_is_text_on_the_page_never_markup(operator):
    hostile = "<script>alert(1)</script>"
    form = Form(operator.get(QUOTA))
    operator.post(form.action, form.filled(metadata__description=hostile, reason=hostile))
    for path in (QUOTA, f"{POLICIES}/quotas/", f"/e/{ENVIRONMENT}/", f"/e/{ENVIRONMENT}/audit/"):
        assert hostile not in operator.get(path).content.decode()
    assert Form(operator.get(QUOTA))["metadata/description"] == hostile
