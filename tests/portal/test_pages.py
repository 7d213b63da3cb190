"""A tenant's pages: what they say, to whom, and how much that costs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.spec import SourceFile, read
from ledger.models import SUMS
from portal.mapping import reservations
from portal.mapping.limits import exact_money, money
from portal.mapping.usage import VIEWS, table
from portal.selectors.contract import Contract
from portal.selectors.levels import LaneLevel, LimitLevel, Places, Read
from tenancy.models import Membership, Role, User
from tests.console.conftest import client_of, person
from tests.portal.conftest import REQUEST_A
from tests.support.policies import written

PAGES = ("overview", "keys", "teams", "usage", "refusals", "start")
MOST_QUERIES = 10


def address(page, tenant="acme"):
    return f"/portal/{page}/dev/{tenant}/"


@pytest.mark.parametrize("page", PAGES)
def test_each_page_costs_few_questions_and_has_no_inline_code(world, admin, page):
    admin.get(address(page))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        answer = admin.get(address(page))
    assert answer.status_code == 200
    assert len(asked) <= MOST_QUERIES, [row["sql"][:120] for row in asked]
    text = answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    for forbidden in (" style=", "<style", "<script>", " onclick="):
        assert forbidden not in text


def test_signing_in_leads_to_the_first_of_ones_tenants(world, admin):
    assert admin.get("/", follow=True).redirect_chain[-1][0] == "/portal/overview/dev/acme/"


def test_who_belongs_to_a_tenant_no_policy_has_is_told_so(world, db):
    client = client_of(person("ida", Role.TENANT_ADMIN, "initrode"))
    page = client.get("/portal/").content.decode()
    assert "initrode" in page
    assert "no environment serves yet" in page


def test_limits_show_what_the_gateway_enforces(world, admin, gateway_says):
    gateway_says(
        limits=[
            LimitLevel("acme", "acme", "requests", "1m", 3000, 2700, 54_000_000),
            LimitLevel("acme", "acme", "total_tokens", "1m", 4_000_000, 4_000_000, 60_000_000),
            LimitLevel("acme", "acme", "spend", "month", 20_000 * 10**9, 5 * 10**9, 86_400_000_000),
        ],
        concurrency=[Places("acme", "acme", 12, 400)],
        reservations=[LaneLevel("acme-chat", "acme", True, 250_000, 500_000)],
    )
    page = admin.get(address("overview")).content.decode()
    for fact in (
        "2,700",
        "90 %",
        "Nearly full",
        "empty again in 54 s",
        "Full",
        "5.00 USD",
        "resets in 1 d",
        "12",
    ):
        assert fact in page
    assert re.search(r"resets in 1 d, at <time[^>]*>[^<]+ Europe/Berlin<", page)
    assert "25 % of the burst in, 50 % out" in page
    assert "0 idle" not in page


def test_what_is_unknown_is_a_dash_with_its_reason(world, admin):
    page = admin.get(address("overview")).content.decode()
    assert "several gateways share these limits" in page
    assert "Unknown" in page
    assert "How full is unknown" in page


def test_own_latency_stands_against_what_the_tier_promises(world, admin):
    page = admin.get(address("overview")).content.decode()
    assert re.search(r"1[78]\d ms <span[^>]*>first token, 95 % within", page), "180 ms, within 2.2 %"
    assert "Promise held" in page
    assert "First token within 3s for 95%:" in page
    assert "Waits 1m at most, answered:" in page, "flex states no objective"
    assert "Not measured" in page, "the tiers nobody used"


def test_reservations_show_used_idle_and_spilled(world, admin):
    page = admin.get(address("overview")).content.decode()
    assert "acme-chat" in page
    assert "4 spilled, 9 of 10 honoured" in page
    assert "idle" in page


def test_usage_is_exact_to_the_last_token_and_exports_what_it_shows(world, admin):
    page = admin.get(address("usage")).content.decode()
    assert "1,235,603" in page, "1,234,567 + 1,000 + twice 7 cached and 11 out"
    assert "12.347178901 USD" in page
    for by in ("tier", "model", "key", "team"):
        assert admin.get(address("usage") + f"?by={by}").status_code == 200
    assert world.key.key_id in admin.get(address("usage") + "?by=key").content.decode()
    link = unescape(page.split('href="/api/v1/usage.csv?')[1].split('"')[0])
    answer = admin.get(f"/api/v1/usage.csv?{link}")
    assert answer.status_code == 200, answer.content
    table = b"".join(answer.streaming_content).decode()
    assert "1234567" in table
    assert "12345678901" in table


@pytest.mark.parametrize("query", ["since=x&until=2026-99-99", "since=2026-02-01&until=2026-01-01", "by=%00"])
def test_a_span_that_makes_no_sense_is_the_last_thirty_days(world, admin, query):
    assert admin.get(address("usage") + f"?{query}").status_code == 200


def test_refusals_are_explained_in_plain_words_with_a_next_step(world, admin):
    page = admin.get(address("refusals")).content.decode()
    for fact in ("Rate limit reached", "rate_limit_exceeded", "Wait for Retry-After", REQUEST_A):
        assert fact in page
    one = admin.get(f"/portal/request/{REQUEST_A}/dev/acme/").content.decode()
    assert "Next step" in one
    assert "other tenants were ahead" not in one, "what else the gateway knew is the platform's"
    found = admin.get(address("refusals") + f"?request={REQUEST_A}")
    assert found["Location"] == f"/portal/request/{REQUEST_A}/dev/acme/"
    assert admin.get(address("refusals") + "?cursor=nonsense").status_code == 404


def test_every_code_of_the_gateway_has_words(db):
    from gateway.errors import CODES
    from portal.mapping.refusals import MEANS
    from telemetry.decisions.advice import ADVICE

    transport = {
        "bad_http",
        "unknown_url",
        "method_not_allowed",
        "request_timeout",
        "request_too_large",
        "expectation_failed",
        "headers_too_large",
        "http_version_not_supported",
    }
    """Of connections, before anybody is known: no tenant is told of them."""
    assert set(CODES) - transport <= set(MEANS)
    assert set(ADVICE) <= set(MEANS)


def test_snippets_name_the_base_url_and_a_model_that_is_served(world, admin, settings):
    page = admin.get(address("start")).content.decode()
    assert f"{settings.HEADWAY_GATEWAY_URL}/v1/chat/completions" in page
    assert "llama-3-8b" in page


def test_an_account_that_was_closed_sees_nothing(world, admin):
    User.objects.filter(username="ana").update(is_active=False)
    assert admin.get(address("overview")).status_code == 302
    User.objects.filter(username="ana").update(is_active=True)
    Membership.objects.filter(user__username="ana").delete()
    assert admin.get(address("overview")).status_code in (302, 404)


def test_a_reservation_that_recurs_was_promised_for_its_hours_alone(world, admin):
    """Half of what two hours promised, when only those two have been in force today."""
    at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    spec = (
        "spec: {tenant: acme, pool: chat-a, tier: priority, throughput: {input: 60k tokens/min, output: 6k "
        "tokens/min}, window: {recurs: FREQ=DAILY, at: 08:00-10:00}}"
    )
    (document,) = read([SourceFile("r.yaml", written("Reservation/mornings", spec).encode())])[0].documents
    (tenant,) = read([SourceFile("t.yaml", written("Tenant/acme", "spec: {tiers: [a]}").encode())])[
        0
    ].documents
    contract = Contract(tenant, reservations=(document,))
    used = {"reservation": "mornings", "uncached_input": 3_600_000, "cached_input": 0, "output": 0}
    (held,) = reservations.held(contract, Read(None, "no answer"), [used], [], at)
    assert (held.used_input, held.used_output, held.idle) == (50.0, 0.0, 50.0)
    assert (held.in_force, held.starts, held.ends) == (False, datetime(2026, 3, 5, 8, tzinfo=UTC), None)
    (held,) = reservations.held(contract, Read(None), [used], [], datetime(2026, 3, 4, 9, tzinfo=UTC))
    assert (held.in_force, held.ends, held.used_input) == (True, datetime(2026, 3, 4, 10, tzinfo=UTC), 100.0)
    (held,) = reservations.held(contract, Read(None), [], [], datetime(2026, 3, 4, 7, tzinfo=UTC))
    assert (held.used, held.idle, held.now_input, held.spilled) == (None, None, None, None)


@pytest.mark.parametrize("page", ["keys", "refusals"])
@pytest.mark.parametrize("cursor", ["x", "WyJhIl0", "%00", "W10", "eyJhIjoxfQ"])
def test_a_cursor_nobody_was_given_leads_nowhere(world, admin, page, cursor):
    assert admin.get(address(page) + f"?cursor={cursor}").status_code in (200, 404)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "start": st.sampled_from([datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 5)]),
            "tier": st.sampled_from(["a", "b", ""]),
            "model": st.sampled_from(["m", "n"]),
            "tenant": st.sampled_from(["t", "t/x"]),
            "key_id": st.sampled_from(["k", ""]),
            "currency": st.sampled_from(["USD", ""]),
            **{name: st.integers(0, 10**15) for name in (*SUMS,)},
        }
    )
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([*VIEWS]))
def test_however_usage_is_divided_it_adds_up_to_the_same(rows, view):
    made = table(rows, view, [])
    for name in ("requests", "uncached", "cached", "output", "tokens"):
        assert sum(getattr(line, name) for line in made.lines) == getattr(made.total, name)
    whole = sum(row[name] for row in rows for name in SUMS if name.endswith(("input", "write", "put", "ing")))
    assert made.total.tokens == whole
    assert sum(sum(line.cost.values()) for line in made.lines) == sum(row["cost_nano"] for row in rows)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**15), st.sampled_from(["USD", ""]))
def test_money_is_never_rounded_to_nothing_and_the_exact_amount_is_exact(nano, currency):
    shown = money(nano, currency).split(" ")[0].replace(",", "")
    assert (Decimal(shown) == 0) == (nano == 0)
    assert abs(Decimal(shown) * 10**9 - nano) <= nano * Decimal("0.05")
    assert Decimal(exact_money(nano, currency).split(" ")[0]) * 10**9 == nano


def test_the_export_takes_dates_as_well_as_instants(world, admin):
    query = "environment=dev&since=2026-01-01&until=2099-01-01"
    answer = admin.get(f"/api/v1/usage.csv?{query}")
    assert answer.status_code == 200
    assert "1234567" in b"".join(answer.streaming_content).decode()
    assert admin.get("/api/v1/usage.csv?since=2026-99-99").status_code == 400
    assert admin.get("/api/v1/usage.csv?since=2026-01-01T10:00:00").status_code == 400, "no zone"
