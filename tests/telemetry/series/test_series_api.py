"""Series over REST: the hub's own points, stored minutes before them, and who may ask."""

from __future__ import annotations

import pytest
from django.test import Client

from fleet.services import ensure_environment
from foundation.actors import SYSTEM
from telemetry.live import running
from telemetry.series import rollup
from tenancy.models import Role
from tests.telemetry.batches import T0, batch, series
from tests.telemetry.live.conftest import person, signed_in
from tests.telemetry.live.guests import TimedHub
from tests.telemetry.series.test_keeping import keep

MS = 1000


@pytest.fixture
def olga(db):
    ensure_environment(actor=SYSTEM, name="dev")
    return signed_in(person("olga", Role.VIEWER))[0]


@pytest.fixture
def hub():
    made = TimedHub()
    running.set_hub(made)
    yield made
    running.set_hub(None)


def read(client, **params):
    answer = client.get("/api/v1/series", params)
    return answer.status_code, answer.json()


def test_seconds_are_the_hub_s_own_points(olga, hub):
    for number in range(30):
        hub.second(series(requests=1 + number % 3))
    _, told = read(olga, table="fleet.tiers", since=(T0 + 5) * MS, until=(T0 + 30) * MS)
    assert (told["step"], told["origin"], told["next"]) == (1, "recent", None)
    assert told["times"] == [(T0 + at + 1) * MS for at in range(5, 30)]
    points = hub.points("dev", "fleet.tiers", T0 + 5, T0 + 30)
    assert told["values"]["priority"] == [list(rows["priority"]) for _, rows in points]


def test_what_is_longer_ago_comes_from_stored_minutes(olga, hub):
    keep(*(batch(number, series(), boot="b", at=T0 + number) for number in range(0, 7200, 20)))
    rollup.roll_up(T0 + 8000)
    _, told = read(olga, table="fleet.tiers", since=T0 * MS, until=(T0 + 7200) * MS)
    assert (told["step"], told["origin"]) == (60, "minutes")
    assert told["times"][0] == (T0 + 60) * MS
    row = dict(zip(told["metrics"], told["values"]["priority"][0], strict=True))
    assert row["requests"] == 0.05
    assert row["ttft_p95"] == pytest.approx(100, rel=0.03)
    _, week = read(olga, table="fleet.tiers", since=(T0 - 5 * 86400) * MS, until=(T0 + 7200) * MS)
    assert week["step"] == 900, "never more than six hundred points"
    _, queues = read(olga, table="fleet.queues", since=T0 * MS, until=(T0 + 7200) * MS)
    assert queues["values"]["chat 300"][0] == [2, 7]
    _, tenants = read(olga, table="fleet.tenants", since=T0 * MS, until=(T0 + 7200) * MS)
    assert tenants["values"]["acme"][0][3] == 1


def test_objectives_are_told_by_tier_and_class(olga, hub):
    key = "ttft 400000us 0..8000 tokens"
    held = [series(objectives={key: (1, 2)}), series("globex", objectives={key: (0, 2)})]
    for _ in range(20):
        hub.second(*held)
    hub.second(series())
    _, told = read(olga, table="fleet.objectives", since=(T0 + 15) * MS, until=(T0 + 21) * MS)
    assert told["metrics"] == ["given", "kept"]
    assert list(told["values"]) == [f"priority {key}"]
    assert told["values"][f"priority {key}"][0] == [4, 0.25]
    keep(*(batch(number, *held, boot="b", at=T0 + number) for number in range(0, 7200, 20)))
    rollup.roll_up(T0 + 8000)
    _, stored = read(olga, table="fleet.objectives", since=T0 * MS, until=(T0 + 7200) * MS, step=60)
    assert (stored["origin"], stored["values"][f"priority {key}"][0]) == ("minutes", [0.2, 0.25])


def test_pages_join_without_a_gap_or_a_repeat(olga, hub):
    for _ in range(30):
        hub.second(series())
    span = {"table": "fleet.pools", "since": (T0) * MS, "until": (T0 + 30) * MS}
    times, cursor = [], ""
    while cursor is not None:
        _, told = read(olga, **span, limit=7, cursor=cursor)
        times += told["times"]
        cursor = told["next"]
    assert times == [(T0 + at + 1) * MS for at in range(30)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table", "fleet.secrets"),
        ("since", "yesterday"),
        ("since", "9999999999999"),
        ("since", "0"),
        ("step", "7"),
        ("limit", "0"),
        ("cursor", "x"),
        ("environment", "none"),
    ],
)
def test_a_question_that_will_not_do_is_told_which_part(olga, hub, name, value):
    status, told = read(olga, **{"table": "fleet.tiers", "until": T0 * MS, name: value})
    assert status in (400, 404)
    assert told["code"] in ("malformed_query", "not_found")


def test_the_fleet_is_not_a_tenant_s_to_see(olga, hub):
    ann, _ = signed_in(person("ann", Role.TENANT_ADMIN, "acme"))
    assert read(ann, table="fleet.tiers")[0] == 403
    assert read(Client(), table="fleet.tiers")[0] in (401, 403)
