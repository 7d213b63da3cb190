"""Two tenants with teams, keys, usage and refusals of their own, in one environment that runs."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import orjson
import pytest
from django.utils import timezone

from coordination.sketch import Sketch
from coordination.spec import SourceFile
from coordination.wire.decisions import Batch, Explained
from foundation.actors import SYSTEM
from ledger.models import UsageHour
from policies.services import apply, plan
from portal.selectors import levels
from telemetry.decisions.services import record
from telemetry.models.series import SeriesMinute
from tenancy import credentials
from tenancy.models import Role
from tests.console.conftest import (  # noqa: F401 - fixtures
    ENVIRONMENT,
    client_of,
    person,
    quickstart,
    running,
)
from tests.delivery.conftest import drain
from tests.support.policies import QUICKSTART, written
from tests.support.remembered import remembered

TEAMS = {
    "acme/search": "spec: {display_name: Search, tiers: [priority, standard]}",
    "acme/shop": "spec: {display_name: Shop assistant, tiers: [priority, standard]}",
    "acme/shop/nights": "spec: {tiers: [standard]}",
    "acme/shop/days": "spec: {tiers: [standard]}",
    "globex/plant": "spec: {display_name: Plant Seven, tiers: [standard]}",
    "globex/office": "spec: {display_name: Office Nine, tiers: [standard]}",
}
QUOTAS = {
    "acme-search": "spec: {tenant: acme/search, weight: 3, limits: [{of: requests, per: 1m, limit: 900}]}",
    "globex-plant": "spec: {tenant: globex/plant, limits: [{of: requests, per: 1m, limit: 77123}]}",
}
OF_GLOBEX = ("globex", "Globex", "Plant Seven", "Office Nine", "77123", "77,123", "control room", "greta")
"""What nobody of acme may ever read. Numbers of globex are added by the fixture."""
REQUEST_A, REQUEST_B = "req_01HACMEAAAAAAAAAAAAAAAAAAA", "req_01HG00B00000000000000000BB"


def delegated(text: bytes) -> bytes:
    """With everything that acme may hand on."""
    rights = b"concurrency: 400\n  delegation: {weight: true, limits: true, keys: true}"
    return text.replace(b"concurrency: 400", rights)


def with_teams():
    paths = sorted(QUICKSTART.glob("*.yaml"))
    files = [SourceFile(path.name, delegated(path.read_bytes())) for path in paths]
    made = [written(f"Tenant/{name}", rest) for name, rest in TEAMS.items()]
    made += [written(f"Quota/{name}", rest) for name, rest in QUOTAS.items()]
    files.append(SourceFile("teams.yaml", "---\n".join(made).encode()))
    planned = plan(actor=SYSTEM, environment=ENVIRONMENT, files=files)
    apply(actor=SYSTEM, environment=ENVIRONMENT, files=files, plan_digest=planned.digest, reason="teams")
    drain()


def used(tenant, key, tokens, cost, *, reservation="", tier="standard", at=None):
    at = at or timezone.now()
    UsageHour.objects.create(
        environment=ENVIRONMENT,
        hour=at.replace(minute=0, second=0, microsecond=0),
        statement=at.date().replace(day=1),
        tenant=tenant,
        tier=tier,
        model="llama-3-8b",
        key_id=key,
        reservation=reservation,
        currency="USD",
        events=3,
        completed=3,
        uncached_input=tokens,
        cached_input=7,
        output=11,
        cost_nano=cost,
    )


def refused(tenant, request_id, code="rate_limit_exceeded", key_id=None, at=None):
    now = int((at or timezone.now()).timestamp() * 1_000_000) - 1_000_000
    document = {
        "request_id": request_id,
        "tenant": tenant,
        "key_id": key_id,
        "model": "llama-3-8b",
        "tier_requested": "standard",
        "status": 429,
        "code": code,
        "message": "Rate limit reached for q: requests per 1m: limit 60.",
        "timings_us": {"decided": 120, "finished": 160},
        "decision": {"verdict": "refuse", "candidates": "other tenants were ahead"},
    }
    batch = Batch(
        boot_id="b",
        seq=1,
        sent_at=now,
        decisions=(
            Explained(
                request_id=request_id,
                reason="refused",
                at=now,
                tenant=tenant,
                tier="standard",
                model="llama-3-8b",
                code=code,
                document=msgspec.Raw(orjson.dumps(document)),
            ),
        ),
    )
    record(environment=ENVIRONMENT, gateway="gw_" + "0" * 26, batch=batch, received_us=now)


def measured(tenant, tier, ttft_us, requests=20):
    waits, firsts = Sketch(), Sketch()
    waits.add(3_000, requests)
    firsts.add(ttft_us, requests)
    SeriesMinute.objects.create(
        environment=ENVIRONMENT,
        minute=int(timezone.now().timestamp()) // 60,
        tenant=tenant,
        tier=tier,
        model="llama-3-8b",
        pool="chat-a",
        requests=requests,
        completed=requests,
        spilled=4,
        promised=10,
        honoured=9,
        refused={},
        ttft=firsts.to_bytes(),
        queue=waits.to_bytes(),
    )


class World:
    """What the tests name: keys and numbers of both tenants."""

    def __init__(self):
        made = {}
        for name, tenant, what in (
            ("a", "acme", "shop assistant"),
            ("a_team", "acme/search", "search backend"),
            ("b", "globex", "control room"),
            ("b_team", "globex/plant", "control room two"),
        ):
            made[name] = credentials.create_key(
                actor=person("greta") if name.startswith("b") else SYSTEM,
                environment=ENVIRONMENT,
                tenant=tenant,
                name=what,
            ).row
        self.key = made["a"]
        self.team_key = made["a_team"]
        self.their_key = made["b"]
        self.secrets = (
            *OF_GLOBEX,
            *(fact for name in ("b", "b_team") for fact in (made[name].key_id, made[name].sha256)),
            REQUEST_B,
            "8675309",
            "8,675,309",
            "271828",
            "31.415926535",
        )


@pytest.fixture
def world(running, settings):  # noqa: F811 - the fixture
    """acme and globex, each with a team, keys, usage, refusals, latency and a moved share."""

    def begin():
        with_teams()
        made = World()
        used("acme", made.key.key_id, 1_234_567, 12_345_678_901, reservation="acme-chat", tier="priority")
        used("acme/search", made.team_key.key_id, 1_000, 1_500_000)
        used("globex", made.their_key.key_id, 8_675_309, 31_415_926_535, reservation="globex-chat")
        refused("acme", REQUEST_A, key_id=made.key.key_id)
        refused("globex", REQUEST_B, "concurrency_exceeded", key_id=made.their_key.key_id)
        measured("acme", "priority", 180_000)
        measured("globex", "standard", 271_828_000)
        credentials.move_share(
            actor=SYSTEM, environment=ENVIRONMENT, tenant="globex/plant", weight_ppm=271_828
        )
        drain()
        return made

    return remembered("two tenants", begin)


@pytest.fixture
def gateway_says(monkeypatch):
    """``gateway_says(limits=[...])``: what the gateway answers when asked for levels."""

    def says(limits=(), concurrency=(), reservations=()):
        told = levels.Levels(list(limits), list(concurrency), list(reservations))
        monkeypatch.setattr(levels, "read", lambda environment, tenant: levels.Read(told))

    return says


@pytest.fixture
def admin(world):
    return client_of(person("ana", Role.TENANT_ADMIN, "acme"))


@pytest.fixture
def member(world):
    return client_of(person("mia", Role.TENANT_MEMBER, "acme"))


@pytest.fixture
def team_admin(world):
    return client_of(person("sia", Role.TENANT_ADMIN, "acme/search"))


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
