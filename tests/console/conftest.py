"""The quickstart policy, released, with two gateways that run it; and a person for each role."""

from __future__ import annotations

import pytest
from django.test import Client

from coordination.wire.status import StatusError
from delivery import trust
from delivery.overrides import services as overrides
from fleet.models import Environment
from fleet.services import ensure_environment
from foundation.actors import SYSTEM
from policies import selectors, services
from policies.mapping.documents import as_json
from tenancy import credentials
from tenancy.credits import credit_limit
from tenancy.models import Membership, Role, User
from tests.console.accounted import live_a_while
from tests.console.simulated import simulate_a_while
from tests.delivery.conftest import drain, join, report
from tests.support.policies import QUICKSTART
from tests.support.remembered import remembered

ENVIRONMENT = "dev"


@pytest.fixture
def quickstart(db, tmp_path, settings):
    """``dev`` at release 1, nobody enrolled yet."""
    settings.HEADWAY_KEYS = str(tmp_path / "keys")
    settings.HEADWAY_GATEWAY_ADMIN_URL = "http://127.0.0.1:9"
    settings.HEADWAY_PROCESSES = tmp_path / "processes.json"
    settings.HEADWAY_TRACE_FOLDER = tmp_path / "traces"

    def load():
        trust.ensure_embedded_root()
        ensure_environment(actor=SYSTEM, name=ENVIRONMENT)
        services.create_environment(actor=SYSTEM, environment=ENVIRONMENT)
        services.load_folder(
            actor=SYSTEM, environment=ENVIRONMENT, folder=QUICKSTART, reason="the quickstart example"
        )
        drain()
        return Environment.objects.get(name=ENVIRONMENT)

    return remembered("quickstart", load, folder=tmp_path / "keys")


@pytest.fixture
def running(quickstart):
    """Two gateways run what was released."""

    def start():
        gateways = [join("gateway-1"), join("gateway-2")]
        for gateway in gateways:
            report(gateway)
        return gateways

    return remembered("quickstart, running", start)


@pytest.fixture
def lived_in(running, tmp_path):
    """Somebody has worked here: edits, a refusal, a rollback's worth of releases, keys."""
    return remembered("somebody has worked here", lambda: live_in(running), folder=tmp_path / "keys")


def live_in(running):
    ada = person("ada", Role.OPERATOR)
    edit(
        "Quota", "initech", {"limits": [{"of": "requests", "per": "1m", "limit": 45}]}, ada, "a smaller plan"
    )
    for gateway in running:
        report(gateway)
    edit("Tier", "flex", {"queue": {"max_wait": "90s", "max_depth": "2k"}}, ada, "patience is cheap")
    report(running[0])
    report(
        running[1],
        attempted="sha256:" + "e" * 64,
        applied="sha256:" + "d" * 64,
        state="rejected",
        error=StatusError(code="self_test_failed", message="3 of 96 vectors came out otherwise"),
    )
    key = credentials.create_key(actor=ada, environment=ENVIRONMENT, tenant="acme", name="shop assistant")
    credentials.create_key(actor=ada, environment=ENVIRONMENT, tenant="globex", name="control room")
    at_night(running[0].ring.environment, ada)
    old = credentials.create_key(actor=ada, environment=ENVIRONMENT, tenant="initech", name="trial")
    credentials.revoke_key(actor=ada, key=old.row)
    drain()
    live_a_while(running[0])
    simulate_a_while(ada)
    return ada, key


def edit(kind, name, changes, actor=SYSTEM, reason=""):
    """Change some fields of an object's spec, build and release. Returns the revision."""
    head = selectors.head(ENVIRONMENT, kind, name)
    assert head is not None
    body = as_json(head.document)
    body["spec"] |= changes
    revision = services.save_document(
        actor=actor,
        environment=ENVIRONMENT,
        kind=kind,
        name=name,
        body=body,
        base_digest=head.document_id,
        reason=reason,
    )
    drain()
    return revision


def at_night(environment, ada):
    """A tenant is blocked, a replica drained, a limit waits for a second person, a freeze is over."""
    for kind, subject, factor in (
        ("freeze_releases", "", None),
        ("block_tenant", "initech", None),
        ("drain_replica", "http://127.0.0.1:8102", None),
        ("raise_limit", "acme:total_tokens:1m", 1_500_000),
    ):
        row = overrides.begin(
            actor=ada,
            environment=environment,
            kind=kind,
            subject=subject,
            lasts=3600,
            reason="a flood at night",
            amount_ppm=factor,
        )
        if kind == "freeze_releases":
            overrides.lift(actor=ada, environment=environment, override=row)
    credit_limit(
        actor=ada,
        environment=ENVIRONMENT,
        tenant="acme",
        quota="acme",
        of="requests",
        per="1m",
        amount=500,
        most=3000,
        reason="a demonstration",
    )
    drain()


def person(name, role=None, tenant=""):
    user = User.objects.filter(username=name).first() or User.objects.create_user(
        name, password="a-long-enough-one"
    )
    if role:
        Membership.objects.get_or_create(user=user, role=role, tenant=tenant)
    return user


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator(db):
    return client_of(person("olga", Role.OPERATOR))


@pytest.fixture
def viewer(db):
    return client_of(person("vera", Role.VIEWER))
