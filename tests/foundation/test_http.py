"""Refusals, versions, pages and repeats, each by itself."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import exceptions

from foundation.http import Conflict, FieldError, Invalid, Malformed, NotFound, idempotency, pages
from foundation.http.answers import ProblemMiddleware, problem_response
from foundation.http.idempotency import Answer, claim, fingerprint, prune, release, settle
from foundation.http.models import IdempotentRequest
from foundation.http.rest import as_refused
from foundation.http.versions import expected_version, not_modified
from tenancy.models import User
from tests.support.found import found


def test_a_refusal_is_one_shape_wherever_it_comes_from():
    refused = Invalid(
        "unsound_policy",
        "It would not hold.",
        kind="Tier",
        name="flex",
        errors=[FieldError("/spec/band", "SPEC008", "too large")],
        extra={"diagnostics": []},
    )
    assert refused.problem() == {
        "type": "/docs/problems/unsound_policy",
        "title": "Unsound policy",
        "status": 422,
        "detail": "It would not hold.",
        "code": "unsound_policy",
        "retryable": False,
        "retry_after": None,
        "object": {"kind": "Tier", "name": "flex"},
        "errors": [{"pointer": "/spec/band", "code": "SPEC008", "message": "too large"}],
        "diagnostics": [],
    }


def test_a_refusal_that_names_a_time_may_be_retried():
    response = problem_response(Conflict("busy", "Others merge.", retry_after=3))
    assert (response.status_code, response["Retry-After"]) == (409, "3")
    assert response["Content-Type"] == "application/problem+json"
    assert b'"retryable": true' in response.content


FOREIGN = {
    "nothing there": (Http404(), 404, "not_found"),
    "not allowed": (PermissionDenied(), 403, "forbidden"),
    "too much": (RequestDataTooBig(), 413, "request_too_large"),
    "unknown caller": (exceptions.NotAuthenticated(), 401, "not_authenticated"),
    "wrong method": (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
    "unreadable": (exceptions.ParseError(), 400, "parse_error"),
    "too often": (exceptions.Throttled(wait=1.2), 429, "throttled"),
    "a list of mistakes": (exceptions.ValidationError(["a", "b"]), 422, "invalid_request"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_the_frameworks_own_refusals_become_ours(what):
    error, status, code = FOREIGN[what]
    refused = found(as_refused(error))
    assert (refused.http_status, refused.code) == (status, code)


def test_waiting_times_are_rounded_up():
    assert found(as_refused(exceptions.Throttled(wait=1.2))).retry_after == 2


def test_a_bug_is_not_a_refusal():
    assert as_refused(ZeroDivisionError()) is None


def test_nested_mistakes_are_found_by_json_pointer():
    error = exceptions.ValidationError(
        {"files": [{}, {"na/me": ["This is too long."]}], "non_field_errors": ["Together they do not fit."]}
    )
    mistakes = {(each.pointer, each.message) for each in found(as_refused(error)).errors}
    assert mistakes == {("/files/1/na~1me", "This is too long."), ("", "Together they do not fit.")}


def test_pages_show_their_own_refusals_and_the_api_shows_problems():
    middleware = ProblemMiddleware(lambda _: HttpResponse())
    refused = NotFound("not_found", "No.")
    make = RequestFactory().get
    assert middleware.process_exception(make("/policies/"), refused) is None
    assert found(middleware.process_exception(make("/api/v1/x"), refused)).status_code == 404
    assert middleware.process_exception(make("/api/v1/x"), ZeroDivisionError()) is None


# -- versions ---------------------------------------------------------------------------------------


def request_with(**headers):
    return RequestFactory().get(
        "/", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@settings(max_examples=80, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20))
def test_any_header_is_a_version_or_a_refusal(header):
    with suppress(Malformed):
        expected = expected_version(request_with(If_Match=header))
        assert expected.any_version or header == f'"{expected.version}"'


def test_a_held_version_is_recognised_among_others():
    assert not_modified(request_with(If_None_Match='"a", W/"b"'), "b")
    assert not not_modified(request_with(If_None_Match='"a"'), "b")
    assert not not_modified(request_with(), "b")


# -- pages ------------------------------------------------------------------------------------------


def read_all(rows, order, limit):
    seen, cursor = [], None
    while True:
        found = pages.page(rows, order=order, cursor=cursor, limit=limit)
        assert len(found.items) <= limit
        seen += [row.username for row in found.items]
        cursor = found.next
        if cursor is None:
            return seen


@pytest.mark.django_db
@pytest.mark.parametrize(
    "order", [("username",), ("-username",), ("first_name", "username"), ("-first_name", "-username")]
)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_every_row_is_on_exactly_one_page(order, limit):
    for number in range(7):
        User.objects.create(username=f"u{number}", first_name="ab"[number % 2])
    expected = list(User.objects.order_by(*order).values_list("username", flat=True))
    assert read_all(User.objects.all(), order, limit) == expected


@pytest.mark.django_db
@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_a_made_up_cursor_is_refused_and_nothing_worse(cursor):
    with suppress(Malformed):
        assert pages.page(User.objects.all(), order=("username",), cursor=cursor).items == []


@pytest.mark.parametrize("given", ["0", "-1", "1001", "x", "", "1.5", "９", "9" * 5000])
def test_a_page_has_a_sensible_size_or_none(given):
    with pytest.raises(Malformed):
        pages.limit_of(given)


def test_a_page_has_a_hundred_rows_unless_told_otherwise():
    assert (pages.limit_of(None), pages.limit_of("1"), pages.limit_of("1000")) == (100, 1, 1000)


# -- repeats ----------------------------------------------------------------------------------------

ANSWER = Answer(201, {"ETag": '"a"'}, b"{}")


def claimed(key="k", request="r", principal="user:1"):
    return claim(principal=principal, key=key, request=request)


@pytest.mark.django_db
def test_a_key_is_claimed_answered_and_answered_again():
    assert claimed() is None
    settle(principal="user:1", key="k", answer=ANSWER)
    assert claimed() == ANSWER
    with pytest.raises(Conflict, match="idempotency_conflict"):
        claimed(request="another")
    assert claimed(principal="user:2") is None


@pytest.mark.django_db
def test_a_key_whose_request_failed_is_free_again():
    claimed()
    release(principal="user:1", key="k")
    assert claimed() is None
    settle(principal="user:1", key="k", answer=ANSWER)
    release(principal="user:1", key="k")
    assert claimed() == ANSWER, "an answer is not taken back"


@pytest.mark.django_db
def test_a_claim_whose_process_died_is_taken_over_after_a_minute():
    claimed()
    with pytest.raises(Conflict, match="in_progress"):
        claimed()
    IdempotentRequest.objects.update(started=timezone.now() - idempotency.ABANDONED)
    assert claimed() is None
    with pytest.raises(Conflict, match="in_progress"):
        claimed()


@pytest.mark.django_db
def test_an_answer_is_kept_for_a_day():
    claimed()
    settle(principal="user:1", key="k", answer=ANSWER)
    old = timezone.now() - idempotency.KEPT - timedelta(seconds=1)
    IdempotentRequest.objects.update(started=old)
    assert claimed(request="another") is None
    IdempotentRequest.objects.update(started=old)
    assert prune() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a b", "\n", "ü", "x" * 201])
def test_a_key_is_visible_ascii(key):
    with pytest.raises(Malformed):
        claimed(key=key)


def test_requests_that_differ_anywhere_have_other_fingerprints():
    parts = [
        ("PUT", "/a", "|", b"x"),
        ("POST", "/a", "|", b"x"),
        ("PUT", "/b", "|", b"x"),
        ("PUT", "/a", "*|", b"x"),
    ]
    parts += [("PUT", "/a", "|", b"y"), ("PUT", "/a|", "", b"x")]
    assert len({fingerprint(*each) for each in parts}) == len(parts)
