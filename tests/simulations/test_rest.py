"""Traces and simulations over REST: the shapes, the refusals, and that a repeat is done once."""

from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from simulations.models import Simulation, State, Trace
from tests.simulations.conftest import mooncake, perform, start, upload

BASE = "/api/v1/environments/dev"
CURRENT_SIDE = {"source": "current"}


@pytest.fixture
def api(dev, operator):
    client = APIClient()
    client.force_authenticate(operator)
    return client


def send(api, data, name="hour.jsonl", media="application/x-ndjson", **headers):
    return api.generic("POST", f"{BASE}/traces?name={name}", data, content_type=media, **headers)


def ask(api, *, key=None, **body):
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return api.post(f"{BASE}/simulations", {"policy": CURRENT_SIDE, **body}, format="json", **headers)


def test_a_trace_is_sent_listed_read_and_taken_away(api):
    made = send(api, mooncake(20))
    assert made.status_code == 201, made.content
    assert (made.json()["requests"], made.json()["format"]) == (20, "mooncake")
    again = send(api, mooncake(20), name="other")
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    assert again["Location"] == made["Location"]
    listed = api.get(f"{BASE}/traces").json()
    assert [each["name"] for each in listed["items"]] == ["hour.jsonl"]
    assert "quickstart" in listed["examples"]
    assert api.get(made["Location"]).json() == made.json()
    assert api.delete(made["Location"]).status_code == 204
    assert api.get(made["Location"]).status_code == 404
    assert api.get(f"{BASE}/traces").json()["items"] == []


def test_bad_lines_come_back_as_a_problem_with_their_numbers(api):
    answer = send(api, mooncake(2) + b"{}\n" + mooncake(1, start=5000))
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["faults"]) == (422, "unreadable_trace", 1)
    assert problem["errors"][0]["pointer"] == "/lines/3"
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"media": "text/html"}, 415, "unsupported_media_type"),
        ({"media": "multipart/form-data"}, 415, "unsupported_media_type"),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, 415, "unsupported_media_type"),
        ({"name": "..%2Fx"}, 422, "bad_name"),
        ({"name": ""}, 422, "bad_name"),
    ],
)
def test_what_is_not_taken_as_a_trace(api, sent, status, code):
    answer = send(api, mooncake(2), **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Trace.objects.exists()


def test_what_is_longer_than_a_trace_may_be_is_413(api, settings):
    settings.HEADWAY_TRACE_MB = 1
    answer = send(api, b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "trace_too_large")


def test_a_simulation_is_begun_once_however_often_it_is_asked(api):
    trace = upload()
    made = ask(api, key="k1", trace=trace.pk, speed=2.0, seeds=2, mix=[{"tenant": "acme", "weight": 3}])
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["state"], told["policy"], told["trace_name"]) == (
        "queued",
        "revision 1 (current)",
        "hour.jsonl",
    )
    assert told["scenario"]["mix"] == [["acme", None, 3]]
    assert [(run["seed"], run["state"], run["requests"]) for run in told["runs"]] == [
        (1, "queued", 20),
        (2, "queued", 20),
    ]
    again = ask(api, key="k1", trace=trace.pk, speed=2.0, seeds=2, mix=[{"tenant": "acme", "weight": 3}])
    assert (again.status_code, again.json()["id"]) == (201, told["id"])
    assert Simulation.objects.count() == 1
    assert api.get(made["Location"]).json()["id"] == told["id"]


def test_what_makes_no_sense_names_its_places(api):
    answer = ask(api, trace=upload().pk, speed=0, replicas={"nowhere": 3})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_simulation")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/speed"]
    shape = ask(api, trace="x", policy={"source": "yesterday"})
    assert shape.status_code == 422
    assert {error["pointer"] for error in shape.json()["errors"]} == {"/trace", "/policy/source"}
    for never in (
        {"trace": 10**18},
        {"example": "no"},
        {"policy": {"source": "change_set", "change_set": 7}},
    ):
        assert ask(api, **{"example": "quickstart", **never}).status_code in (404, 422)


def test_it_is_cancelled_once(api):
    simulation = start()
    place = f"{BASE}/simulations/{simulation.pk}"
    ended = api.post(f"{place}/cancel")
    assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    assert {run["state"] for run in ended.json()["runs"]} == {"cancelled"}
    again = api.post(f"{place}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "simulation_ended")


def test_lists_are_narrowed_and_paged(api):
    trace = upload()
    first, second, third = (start(trace) for _ in range(3))
    api.post(f"{BASE}/simulations/{second.pk}/cancel")
    page = api.get(f"{BASE}/simulations?limit=2").json()
    assert [each["id"] for each in page["items"]] == [third.pk, second.pk]
    rest = api.get(f"{BASE}/simulations?limit=2&cursor={page['next']}").json()
    assert [each["id"] for each in rest["items"]] == [first.pk]
    queued = api.get(f"{BASE}/simulations?state=queued").json()
    assert [each["id"] for each in queued["items"]] == [third.pk, first.pk]
    assert api.get(f"{BASE}/simulations?change_set=1").json()["items"] == []
    assert api.get(f"{BASE}/simulations?change_set=x").status_code == 400


@pytest.mark.slow
def test_results_are_read_and_held_against_each_other(api):
    trace = upload()
    one, fast = perform(start(trace)), perform(start(trace, speed=3.0))
    again = perform(start(trace, replicas={"chat": 1}))
    told = api.get(f"{BASE}/simulations/{one.pk}").json()
    assert (told["state"], told["result"]["completed"]) == (State.DONE, 20)
    json.dumps(told, allow_nan=False)
    same = api.get(f"{BASE}/simulations/compare?of={one.pk}&of={again.pk}").json()
    assert same["same_arrivals"] is True
    assert [each["id"] for each in same["items"]] == [one.pk, again.pk]
    assert same["items"][0]["figures"]["completed"] == 20
    others = api.get(f"{BASE}/simulations/compare?of={one.pk}&of={fast.pk}").json()
    assert others["same_arrivals"] is False
    waiting = start(trace)
    for query, status in (
        (f"of={one.pk}", 400),
        (f"of={one.pk}&of={one.pk}", 400),
        (f"of={one.pk}&of=x", 400),
        (f"of={one.pk}&of=999999", 404),
        (f"of={one.pk}&of={waiting.pk}", 409),
    ):
        assert api.get(f"{BASE}/simulations/compare?{query}").status_code == status


def test_viewers_look_and_strangers_do_not(dev, viewer, stranger):
    simulation = start()
    client = APIClient()
    client.force_authenticate(viewer)
    assert client.get(f"{BASE}/simulations/{simulation.pk}").status_code == 200
    assert client.get(f"{BASE}/traces").status_code == 200
    for answer in (
        client.post(f"{BASE}/simulations/{simulation.pk}/cancel"),
        ask(client, example="quickstart"),
        send(client, mooncake(3)),
        client.delete(f"{BASE}/traces/{simulation.scenario.trace_id}"),
    ):
        assert answer.status_code == 403
    client.force_authenticate(stranger)
    for address in ("traces", "simulations", f"simulations/{simulation.pk}", "simulations/compare"):
        assert client.get(f"{BASE}/{address}").status_code == 403
    simulation.refresh_from_db()
    assert simulation.state == State.QUEUED
