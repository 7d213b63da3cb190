"""Profiles over REST: the shapes, the refusals, and a simulation that is made of one."""

from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from coordination.capacity import Profile
from coordination.capacity.profile_file import LARGEST, read_profile
from simulations.models import Simulation, StoredProfile
from tests.simulations.conftest import calibrated, keep_profile, perform
from tests.simulations.test_rest import BASE, api, ask  # noqa: F401 - fixtures


def send(api, data, media="application/json", **headers):  # noqa: F811 - the fixture
    return api.generic("POST", f"{BASE}/profiles", data, content_type=media, **headers)


def test_a_profile_is_sent_listed_read_and_taken_away(api):  # noqa: F811
    made = send(api, calibrated())
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["name"], told["accelerator"], told["tensor_parallel"]) == ("ours-70b", "a100-sxm-80g", 4)
    assert read_profile(json.dumps({"headway": "profile/1", "profile": told["profile"]}).encode()) == (
        read_profile(calibrated())
    ), "what is answered is a profile again, to the last digit"
    assert told["fit"]["errors"]["held_out"]["first token"]["after"]["median"] == 0.021
    assert told["fit"]["coefficients"]["kv"] == {"factor": 1.0, "plus_minus": None}
    again = send(api, calibrated())
    assert (again.status_code, again.json()) == (200, told)
    assert again["Location"] == made["Location"]
    [row] = api.get(f"{BASE}/profiles").json()["items"]
    assert {name: told[name] for name in row} == row
    assert "profile" not in row
    assert api.get(made["Location"]).json() == told
    assert api.delete(made["Location"]).status_code == 204
    assert api.get(made["Location"]).status_code == 404
    assert api.get(f"{BASE}/profiles").json() == {"items": [], "next": None}


@pytest.mark.parametrize("fit", [None, 5, {"source": 7}, {"errors": {"a": "b"}}, [[[[[[]]]]]]])
def test_what_stands_beside_a_profile_is_shown_only_if_it_is_understood(api, fit):  # noqa: F811
    whole = json.loads(calibrated()) | {"fit": fit}
    assert send(api, json.dumps(whole).encode()).json()["fit"] is None


def test_bad_fields_come_back_as_a_problem_with_their_places(api):  # noqa: F811
    whole = json.loads(calibrated())
    whole["profile"] |= {"layers": -3, "name": "Ours"}
    answer = send(api, json.dumps(whole).encode())
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_profile")
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
        ("/profile/name", "malformed"),
        ("/profile/layers", "out_of_range"),
    ]
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("data", "sent", "status", "code"),
    [
        (b"{}", {"media": "text/html"}, 415, "unsupported_media_type"),
        (b"{}", {"HTTP_CONTENT_ENCODING": "gzip"}, 415, "unsupported_media_type"),
        (b"{", {}, 422, "unreadable_profile"),
        (b" " * (LARGEST + 1), {}, 413, "profile_too_large"),
    ],
)
def test_what_is_not_taken_as_a_profile(api, data, sent, status, code):  # noqa: F811
    answer = send(api, data, **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not StoredProfile.objects.exists()


@pytest.mark.slow
def test_a_simulation_is_made_of_it(api):  # noqa: F811
    kept = keep_profile()
    chosen = {"profile": kept.pk, "pool": "chat"}
    made = ask(api, example="quickstart", profiles=[chosen], mix=[{"tenant": "acme"}])
    assert made.status_code == 201, made.content
    told = made.json()
    assert told["scenario"]["profiles"] == [{**chosen, "name": "ours-70b", "digest": kept.digest}]
    used = api.delete(f"{BASE}/profiles/{kept.pk}")
    assert (used.status_code, used.json()["code"]) == (409, "profile_in_use")
    assert used.json()["object"] == {"kind": "Profile", "name": str(kept.pk)}
    perform(Simulation.objects.get(pk=told["id"]))
    done = api.get(made["Location"]).json()
    assert done["result"]["inputs"]["profiles"] == {"chat": kept.digest}
    assert api.delete(f"{BASE}/profiles/{kept.pk}").status_code == 204
    assert api.get(made["Location"]).json()["scenario"] == told["scenario"]
    side = f"of={told['id']}"
    assert api.get(f"{BASE}/simulations/compare?{side}").status_code == 400


@pytest.mark.parametrize(
    ("profiles", "pointer"),
    [
        ([{"profile": 10**18}], "/profiles/0/profile"),
        ([{"pool": "chat"}], "/profiles/0/profile"),
        ([{"profile": "x"}], "/profiles/0/profile"),
        (["ours"], "/profiles/0"),
        ([{"profile": 1}] * 51, "/profiles"),
    ],
)
def test_what_makes_no_sense_names_its_place(api, profiles, pointer):  # noqa: F811
    answer = ask(api, example="quickstart", profiles=profiles)
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


def test_viewers_look_and_strangers_do_not(dev, viewer, stranger):
    kept = keep_profile()
    client = APIClient()
    client.force_authenticate(viewer)
    assert client.get(f"{BASE}/profiles/{kept.pk}").status_code == 200
    assert client.get(f"{BASE}/profiles").status_code == 200
    assert send(client, calibrated("another")).status_code == 403
    assert client.delete(f"{BASE}/profiles/{kept.pk}").status_code == 403
    client.force_authenticate(stranger)
    for address in ("profiles", f"profiles/{kept.pk}"):
        assert client.get(f"{BASE}/{address}").status_code == 403
    assert client.get("/api/v1/environments/prod/profiles").status_code == 403
    assert StoredProfile.objects.filter(removed_at=None).count() == 1


def test_the_schema_tells_every_field_of_a_profile(api):  # noqa: F811
    schemas = api.get("/api/v1/schema/?format=json").json()["components"]["schemas"]
    told = schemas["ProfileFields"]["properties"]
    fields = Profile.__dataclass_fields__
    assert set(told) == set(fields)
    kinds = {"str": "string", "int": "integer", "float": "number"}
    assert {name: told[name]["type"] for name in told} == {
        name: kinds[str(field.type)] for name, field in fields.items()
    }
    assert "profiles" in schemas["NewSimulation"]["properties"]
