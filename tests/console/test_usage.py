"""Usage on the page, from the API and in both exports: the same lines, whoever may see them."""

from __future__ import annotations

import csv
import io
import json
import re

import msgspec
import pytest
from django.test import Client
from django.utils import timezone

from ledger.mapping import Origin
from ledger.models import UsageEvent, UsageHour
from ledger.periods import micros
from ledger.services import record
from telemetry.models import KeptDecision
from tenancy.models import Role
from tests.console.accounted import FORGOTTEN, REFUSED, SERVED
from tests.console.conftest import client_of, person
from tests.ledger.conftest import event, request_id

pytestmark = pytest.mark.usefixtures("lived_in")
PAGE = "/e/dev/usage/"


def text(answer):
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def match(pattern, text, flags=0):
    found = re.search(pattern, text, flags)
    assert found is not None, pattern
    return found[1]


def cells(html):
    """The body rows of the table of lines, as people read them."""
    body = match(r'aria-label="Lines of usage".*?<tbody>(.*?)</tbody>', html, re.S)
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)
    ]


@pytest.mark.parametrize(
    "query",
    ["", "step=month&by=tenant", "step=all&by=tier,model", "tenant=acme", "tier=flex&step=hour", "by=key_id"],
)
def test_page_api_and_exports_say_the_same(operator, query):
    api = operator.get(f"/api/v1/usage?limit=1000&{query}").json()["items"]
    lines = b"".join(operator.get(f"/api/v1/usage.jsonl?{query}").streaming_content)
    table = b"".join(operator.get(f"/api/v1/usage.csv?{query}").streaming_content).decode()
    assert [json.loads(line) for line in lines.splitlines()] == api
    rows = list(csv.DictReader(io.StringIO(table)))
    assert rows == [
        {name: "" if value is None else str(value) for name, value in line.items()} for line in api
    ]
    shown = cells(text(operator.get(f"{PAGE}?{query}")))
    found = [(row[-5].replace(",", ""), row[-3].replace(",", "")) for row in shown]
    assert found == [(str(line["uncached_input"]), str(line["output"])) for line in api[:100]]
    assert api


def test_its_exports_are_of_what_it_shows(operator):
    html = text(operator.get(f"{PAGE}?tenant=acme&step=month&by=tenant"))
    address = match(r'href="(/api/v1/usage\.csv\?[^"]*)"', html).replace("&amp;", "&")
    table = b"".join(operator.get(address).streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["tenant"] for row in rows} == {"acme", "acme/search"}
    assert [row[1] for row in cells(html)] == [row["tenant"] for row in rows]


def test_totals_are_of_every_page(operator):
    html = text(operator.get(PAGE))
    cost = sum(row.cost_nano for row in UsageHour.objects.all())
    assert cost > 0
    shown = match(r"<dt>Cost</dt><dd>([\d.,]+) USD", html)
    assert round(float(shown) * 1e9) == cost


def test_pages_follow_each_other_without_a_gap(operator, monkeypatch):
    monkeypatch.setattr("console.views.usage.PAGE", 30)
    whole = operator.get("/api/v1/usage?limit=1000").json()["items"]
    seen, address = [], "?"
    while address:
        html = text(operator.get(PAGE + address))
        seen += cells(html)
        following = re.search(r'href="(\?[^"]*)" rel="next"', html)
        address = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == len(whole) > 30


def test_what_lies_aside_is_said_and_can_be_looked_at(operator):
    assert "lie aside" not in text(operator.get(PAGE))
    known = UsageEvent.objects.earliest("id")
    contradiction = event(1, output=1, tenant=known.tenant)
    at = micros(timezone.now())
    record(Origin("dev", known.gateway, at), [msgspec.structs.replace(contradiction, ended_at=at)])
    html = text(operator.get(PAGE))
    assert "1 event lies aside" in html
    address = match(r'href="(/admin/ledger/quarantinedevent/)"', html)
    assert "Same key, other content" in text(operator.get(address))


def test_what_will_not_do_is_said(operator):
    answer = operator.get(f"{PAGE}?since=yesterday")
    assert answer.status_code == 400
    assert "will not do" in answer.content.decode()
    assert operator.get(f"{PAGE}?by=colour").status_code == 400
    assert operator.get(f"{PAGE}?cursor=x").status_code == 400
    assert operator.get(f"{PAGE}?tenant=%00").status_code == 400


def test_the_short_addresses_lead_to_the_first_environment(operator):
    assert operator.get("/usage/?tenant=acme")["Location"] == "/e/dev/usage/?tenant=acme"
    assert operator.get(f"/explain/?request={SERVED}")["Location"] == f"/e/dev/explain/?request={SERVED}"


def test_a_tenants_people_are_turned_away_and_have_their_own_by_the_api(operator):
    client = client_of(person("tina", Role.TENANT_ADMIN, "acme"))
    for address in (PAGE, "/usage/", "/e/dev/explain/", "/explain/"):
        assert client.get(address).status_code == 403, address
    items = client.get("/api/v1/usage?step=all&by=tenant").json()["items"]
    assert {row["tenant"] for row in items} == {"acme", "acme/search"}
    exported = b"".join(client.get("/api/v1/usage.csv").streaming_content).decode()
    assert "globex" not in exported
    assert "initech" not in exported
    assert client.get("/api/v1/usage?tenant=globex").json()["items"] == []
    assert {e["tenant"] for e in client.get("/api/v1/usage/events").json()["items"]} == {
        "acme",
        "acme/search",
    }
    assert client.get("/api/v1/usage/events?tenant=%00").status_code == 400
    assert Client().get("/api/v1/usage").status_code in (401, 403)


def test_a_page_asks_the_database_little(operator, django_assert_max_num_queries):
    with django_assert_max_num_queries(15):
        operator.get(PAGE)
    with django_assert_max_num_queries(15):
        operator.get(f"/e/dev/explain/?request={SERVED}")


# -- explain --------------------------------------------------------------------------------------------


def explained(client, request):
    return text(client.get("/e/dev/explain/", {"request": request}))


def test_a_served_request_is_explained_to_its_last_token(operator):
    html = explained(operator, SERVED)
    for said in (
        "http://10.0.0.1:8000",  # the one chosen
        "first byte 41.0 ms later",  # why not the next
        "route chat-priority, pool chat-a",
        "R6",
        "point 50 % · arms 100 %",
        "2.14 s",  # in the queue
        "acme-chat",
        "0.0004725 USD",  # charged
        "order-7731",
        "First token within 400ms for 95%, up to 8,000 uncached input tokens",
        "Done by its deadline (1m where it names none) for 99.9%",
        "missed",
        "199 of 240 kept",
    ):
        assert said in html, said
    assert "luck" not in html, "a promise of a later gateway is left out"


def test_a_refusal_says_why_and_what_to_do(operator):
    html = explained(operator, f"x-request-id: {REFUSED.lower()}\n")
    for said in (
        "Rate limit exceeded",
        "HTTP 429",
        "quota initech",
        "Wait for Retry-After",
        "reached no replica",
    ):
        assert said in html, said


def test_where_only_the_account_was_kept_it_says_so(operator):
    html = explained(operator, FORGOTTEN)
    assert "explanation was not kept" in html
    assert "Accounted for" in html


def test_what_is_unknown_or_no_id_is_said(operator):
    assert operator.get("/e/dev/explain/", {"request": request_id(777)}).status_code == 404
    answer = operator.get("/e/dev/explain/", {"request": "<script>alert(1)</script>"})
    assert answer.status_code == 400
    assert "<script>alert" not in answer.content.decode()


def test_the_list_is_narrowed(operator):
    html = text(operator.get("/e/dev/explain/?reason=refused"))
    assert REFUSED in html
    assert SERVED not in html
    assert REFUSED not in text(operator.get("/e/dev/explain/?tenant=acme"))


def test_a_document_of_no_sense_is_still_a_page(operator):
    for document in (
        "[]",
        "3",
        '{"decision": 1, "attempts": [1], "charge": "x", "timings_us": {"sent": "y"}}',
    ):
        KeptDecision.objects.filter(request_id=SERVED).update(document=document)
        assert operator.get("/e/dev/explain/", {"request": SERVED}).status_code == 200
        assert operator.get(f"/api/v1/decisions/{SERVED}").status_code == 200
