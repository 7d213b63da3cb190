"""What teams get, over REST: weights and limits within what the policy delegates, and who may set them."""

from __future__ import annotations

import pytest

from coordination.bundle.directory import read_directory
from delivery.models import DirectoryVersion
from foundation.audit.models import AuditEntry
from policies.models import Bundle
from tenancy.models import Role, TeamLimit
from tests.console.conftest import client_of, person
from tests.delivery.conftest import drain
from tests.delivery.test_rest import BASE, api  # noqa: F401 - a fixture
from tests.policies.conftest import put
from tests.policies.test_rest import refused, send


@pytest.fixture
def divided(api):  # noqa: F811
    """An operator's client; acme has teams, and delegates weights and limits."""
    for name, rest in (
        ("Tenant/acme/search", "spec: {tiers: [standard]}"),
        ("Tenant/acme/search/eu", "spec: {tiers: [standard]}"),
        ("Quota/acme", QUOTA_OF_ACME),
    ):
        kind, _, name = name.partition("/")
        put(name, rest, kind=kind)
    drain()
    return api


QUOTA_OF_ACME = """\
spec:
  tenant: acme
  limits: [{of: requests, per: 1m, limit: 3k}, {of: total_tokens, per: day, limit: 50M}]
  delegation: {weight: true, limits: true}
"""


def test_a_share_is_moved_against_the_version_that_was_seen(divided):
    client = divided
    refused(client.get(f"{BASE}/shares/acme/search"), 404, "not_found")
    set_ = send(client, "PUT", f"{BASE}/shares/acme/search", {"weight_ppm": 2_000_000})
    assert (set_.status_code, set_.json()["weight_ppm"]) == (200, 2_000_000)
    send(client, "PUT", f"{BASE}/shares/acme/search", {"weight_ppm": 3_000_000}, If_Match=set_["ETag"])
    late = send(client, "PUT", f"{BASE}/shares/acme/search", {"weight_ppm": 1}, If_Match=set_["ETag"])
    refused(late, 412, "stale_edit")
    (row,) = client.get(f"{BASE}/shares").json()["items"]
    assert row["weight_ppm"] == 3_000_000
    refused(send(client, "PUT", f"{BASE}/shares/nobody", {"weight_ppm": 1}), 422, "unknown_tenant")
    refused(send(client, "PUT", f"{BASE}/shares/acme", {"weight_ppm": 2**53}), 422, "invalid_request")
    refused(send(client, "PUT", f"{BASE}/shares/acme", {"weight_ppm": 1}), 403, "beyond_delegation")


LIMITS = f"{BASE}/team-limits/acme/search"


def amounts(*limits):
    return {"limits": [{"of": of, "per": per, "amount": amount} for of, per, amount in limits]}


def test_limits_of_a_team_are_set_whole_against_the_version_that_was_seen_and_make_a_directory(divided):
    client, builds = divided, Bundle.objects.count()
    assert client.get(LIMITS).json()["limits"] == []
    made = send(client, "PUT", LIMITS, amounts(("requests", "1m", 500), ("total_tokens", "1h", 9000)))
    assert made.json()["limits"] == amounts(("requests", "1m", 500), ("total_tokens", "1h", 9000))["limits"]
    assert send(client, "GET", LIMITS, If_None_Match=made["ETag"]).status_code == 304
    drain()
    newest = read_directory(bytes(DirectoryVersion.objects.filter(environment="dev")[0].content))
    assert newest.limits == {"acme/search": {"requests": {"1m": 500}, "total_tokens": {"1h": 9000}}}
    assert (
        send(client, "PUT", LIMITS, amounts(("requests", "1m", 400)), If_Match=made["ETag"]).status_code
        == 200
    )
    refused(send(client, "PUT", LIMITS, amounts(), If_Match=made["ETag"]), 412, "stale_edit")
    assert client.get(LIMITS).json()["limits"] == amounts(("requests", "1m", 400))["limits"]
    assert send(client, "PUT", LIMITS, amounts()).json()["limits"] == []
    assert Bundle.objects.count() == builds
    actions = list(AuditEntry.objects.order_by("seq").filter(action="team_limits.set"))
    assert [each.object_name for each in actions] == ["acme/search"] * 3
    assert actions[1].details == {
        "requests per 1m": {"from": 500, "to": 400},
        "total_tokens per 1h": {"from": 9000, "to": None},
    }


@pytest.mark.parametrize(
    ("tenant", "limits", "status", "code"),
    [
        ("acme/search", [("requests", "1m", 3001)], 422, "limit_above_parent"),
        ("acme/search", [("total_tokens", "day", 50_000_001)], 422, "limit_above_parent"),
        ("acme/search", [("total_tokens", "day", 50_000_000)], 200, None),
        ("acme/search/eu", [("requests", "1m", 3001)], 422, "limit_above_parent"),
        ("acme/search/eu", [("input_tokens", "month", 2**53 - 1)], 200, None),
        ("acme/search", [("requests", "1m", 0)], 422, "invalid_request"),
        ("acme/search", [("requests", "1w", 5)], 422, "invalid_request"),
        ("acme", [("requests", "1m", 1)], 403, "beyond_delegation"),
        ("nobody", [("requests", "1m", 1)], 422, "unknown_tenant"),
    ],
)
def test_a_limit_of_a_team_is_within_what_is_delegated(divided, tenant, limits, status, code):
    answer = send(divided, "PUT", f"{BASE}/team-limits/{tenant}", amounts(*limits))
    if code is None:
        assert answer.status_code == status, answer.content
    else:
        refused(answer, status, code)
        assert TeamLimit.objects.count() == 0


def test_a_tenant_s_administrator_sets_limits_of_its_teams_and_of_nobody_else(divided):
    ana = client_of(person("ana", Role.TENANT_ADMIN, "acme"))
    assert send(ana, "PUT", LIMITS, amounts(("requests", "1m", 5))).status_code == 200
    for path in (f"{BASE}/team-limits/acme", f"{BASE}/team-limits/globex"):
        refused(ana.get(path), 403, "forbidden")
        refused(send(ana, "PUT", path, amounts()), 403, "forbidden")
    below = client_of(person("sia", Role.TENANT_ADMIN, "acme/search"))
    eu = f"{BASE}/team-limits/acme/search/eu"
    refused(send(below, "PUT", eu, amounts(("requests", "1m", 5))), 403, "beyond_delegation")
    refused(send(below, "PUT", LIMITS, amounts(("requests", "1m", 6))), 403, "forbidden")
    mia = client_of(person("mia", Role.TENANT_MEMBER, "acme"))
    refused(send(mia, "PUT", LIMITS, amounts()), 403, "forbidden")
    assert list(TeamLimit.objects.values_list("tenant", "amount")) == [("acme/search", 5)]


def test_whoever_administers_a_part_is_not_told_how_much_the_whole_has(divided):
    put("search", "spec: {tenant: acme/search, delegation: {limits: true}}", kind="Quota")
    sia = client_of(person("sia", Role.TENANT_ADMIN, "acme/search"))
    answer = send(sia, "PUT", f"{BASE}/team-limits/acme/search/eu", amounts(("requests", "1m", 3001)))
    refused(answer, 422, "limit_above_parent")
    assert "3000" not in answer.content.decode()
