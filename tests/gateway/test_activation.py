"""Is only a wholly verified policy served, swapped at once, and the old one kept when the new is bad?"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from coordination.bundle import dsse
from coordination.bundle.keys import SigningKey
from coordination.bundle.refusals import Refused
from coordination.program.records import DelegationRecord, LimitRecord, ProgramRecords
from gateway.activation import Active, BundleFiles, StateFolder, source_of
from gateway.settings import GatewaySettings
from tests.gateway import policy
from tests.gateway import upstream as up
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import (
    admin,
    chat_body,
    chat_request,
    explanation,
    gateway,
    post,
    write_state,
)
from tests.gateway.upstream import replicas

URL = "http://127.0.0.1:9"


def good_files(**options) -> dict[str, bytes]:
    return policy.state_files(policy.bundle(policy.records([URL])), **options)


def load(folder: Path) -> Active | Refused:
    return StateFolder(folder).load(1)


def test_a_good_state_folder_is_loaded(tmp_path):
    write_state(tmp_path / "state", good_files())
    active = load(tmp_path / "state")
    assert isinstance(active, Active)
    assert active.pointer == {"ring": "0", "serial": 1, "version": 1}


@pytest.mark.parametrize("name", sorted(good_files()))
def test_one_flipped_byte_in_any_file_is_refused(tmp_path, name):
    files = good_files()
    for position in range(0, len(files[name]), max(1, len(files[name]) // 7)):
        data = bytearray(files[name])
        data[position] ^= 1
        folder = tmp_path / f"state-{position}"
        write_state(folder, files | {name: bytes(data)})
        assert isinstance(load(folder), Refused)


@pytest.mark.parametrize("name", sorted(good_files()))
def test_a_missing_file_is_refused(tmp_path, name):
    write_state(tmp_path / "state", {k: v for k, v in good_files().items() if k != name})
    refused = load(tmp_path / "state")
    assert isinstance(refused, Refused)
    assert refused.code == "missing_file"


def test_a_policy_that_fails_its_own_self_test_is_refused(tmp_path):
    records = policy.records([URL])
    (vector,) = policy.vectors(records)
    broken = type(vector)(
        name="wrong",
        request=vector.request,
        expect=type(vector.expect)(
            verdict="refuse", code="no_route", tier=None, pool=None, route=None, reservation="none"
        ),
    )
    write_state(tmp_path / "state", policy.state_files(policy.bundle(records, [broken])))
    refused = load(tmp_path / "state")
    assert isinstance(refused, Refused)
    assert refused.code == "self_test_failed"


def bundle_files(folder: Path) -> BundleFiles:
    packed = policy.bundle(policy.records([URL]))
    (folder / "b.tar").write_bytes(packed.tar)
    (folder / "b.tar.dsse.json").write_bytes(dsse.sign(packed.manifest, dsse.BUNDLE, [policy.SIGNER]))
    (folder / "k.pub").write_bytes(policy.SIGNER.public.to_pem())
    (folder / "directory.json").write_bytes(policy.directory().to_json())
    return BundleFiles(folder / "b.tar", folder / "k.pub", folder / "directory.json")


def test_a_bundle_a_key_and_a_directory_are_loaded(tmp_path):
    assert isinstance(bundle_files(tmp_path).load(1), Active)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("b.tar", b"not a tar", "archive_malformed"),
        ("b.tar.dsse.json", b"{}", "malformed_envelope"),
        ("k.pub", b"not a key", "unknown_key"),
        ("k.pub", SigningKey.from_seed(b"x" * 32).public.to_pem(), "unknown_key"),
        ("directory.json", b"{}", "malformed_directory"),
        ("directory.json", None, "missing_file"),
    ],
)
def test_a_bad_file_is_refused_with_its_code(tmp_path, name, data, code):
    source = bundle_files(tmp_path)
    if data is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(data)
    refused = source.load(1)
    assert isinstance(refused, Refused)
    assert refused.code == code


@pytest.mark.parametrize(
    "settings",
    [
        GatewaySettings(),
        GatewaySettings(bundle=Path("b")),
        GatewaySettings(bundle=Path("b"), key=Path("k")),
        GatewaySettings(state=Path("s"), key=Path("k")),
    ],
)
def test_half_a_set_of_arguments_is_refused(settings):
    with pytest.raises(ValueError, match="--state"):
        source_of(settings)


@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        pytest.param(GatewaySettings(state=Path("s")), None, id="somebody else writes that folder"),
        pytest.param(GatewaySettings(state=Path("s"), server=""), Path("s/usage"), id="enrolled"),
        pytest.param(
            GatewaySettings(bundle=Path("b"), key=Path("k"), directory=Path("d"), state=Path("s")),
            Path("s/usage"),
            id="a folder beside a bundle",
        ),
        pytest.param(GatewaySettings(bundle=Path("b"), key=Path("k"), directory=Path("d")), None, id="none"),
    ],
)
def test_usage_is_kept_in_a_folder_of_the_gateways_own(settings, folder):
    settings.require_one_way()
    assert settings.usage_folder == folder


async def test_a_revoked_key_stops_working_while_the_gateway_runs(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        assert (await post(gw)).status == 200
        packed = policy.bundle(policy.records([one.url]))
        write_state(tmp_path / "state", policy.state_files(packed, serial=2, revoked=("acme",)))
        await until(lambda: gw.active.directory.serial == 2)
        assert (await post(gw)).status == 401


async def test_a_new_bundle_is_swapped_in_under_a_running_stream(tmp_path):
    release = asyncio.Event()

    async def slow(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await release.wait()
        await call.chunk(up.event("two ") + up.USAGE_EVENT + up.DONE)
        await call.end_stream()

    async with replicas(2, slow) as (one, two), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        old = (await client.head()).headers["x-headway-bundle"]
        packed = policy.bundle(policy.records([two.url]))
        write_state(tmp_path / "state", policy.state_files(packed, serial=2))
        await until(lambda: gw.active.digest == packed.digest)
        release.set()
        body = b"".join([chunk async for chunk in client.chunks()])
        assert body.endswith(up.DONE)
        await until(lambda: not gw.plane.live)
        await client.send(chat_request(chat_body(stream=True)))
        assert (await client.answer()).headers["x-headway-bundle"] == packed.digest != old
        assert [len(one.calls), len(two.calls)] == [1, 1]


def renamed_route(records, name: str):
    """The same policy, its route under another name: which of two policies decided is told by it."""
    return replace(records, routes=(replace(records.routes[0], name=name),))


async def test_swaps_under_load_drop_no_request_and_leave_none_half_decided(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url], sequences=4) as gw:
        programs = {}
        for name in ("chat", "talk"):
            packed = policy.bundle(renamed_route(policy.records([one.url], sequences=4), name))
            write_state(tmp_path / name, policy.state_files(packed))
            active = StateFolder(tmp_path / name).load(time.time_ns() // 1000)
            assert isinstance(active, Active)
            programs[name] = active
        names = {active.digest: name for name, active in programs.items()}
        asking = [asyncio.ensure_future(post(gw, stream=n % 2 == 0)) for n in range(80)]
        swaps = 0
        while not all(each.done() for each in asking):
            gw.coordinator.activate(programs["talk" if swaps % 2 else "chat"])
            swaps += 1
            await asyncio.sleep(0.001)
        answers = [await each for each in asking]
        assert [got.status for got in answers] == [200] * 80
        decided = set()
        for got in answers:
            told = await explanation(gw, got)
            decided.add(told["decision"]["route"])
            assert told["bundle"] == got.headers["x-headway-bundle"]
            assert told["decision"]["route"] == names[told["bundle"]]
        assert decided == {"chat", "talk"}
        assert swaps > 2
        assert not gw.plane.live
        assert gw.coordinator.queue_depths().total() == 0


def divided(records: ProgramRecords) -> ProgramRecords:
    """The policy with acme's key being a team's, of a parent that delegates and may send ten a minute."""
    (acme, tight), (all_of_it, tights) = records.tenants, records.quotas
    parent = replace(
        all_of_it,
        name="parent",
        tenant="acme",
        limits=(LimitRecord(of="requests", per="1m", limit=10),),
        delegation=DelegationRecord(weight=True, limits=True),
    )
    team = replace(acme, name="acme/search")
    return replace(records, tenants=(acme, team, tight), quotas=(parent, tights))


async def test_what_is_set_for_a_team_is_in_force_under_the_same_bundle_if_the_bundle_delegates_it(
    tmp_path, capsys
):
    def scope():
        return gw.coordinator.program.scope("acme/search", "standard", "llama-3-8b")

    async def tell(serial: int, **more) -> None:
        write_state(tmp_path / "state", policy.state_files(packed, serial=serial, **more))
        await until(lambda: gw.active.directory.serial == serial)

    async with replicas() as (one,), gateway(tmp_path, [one.url], change=divided) as gw:
        digest, before = gw.active.digest, scope().weights
        packed = policy.bundle(divided(policy.records([one.url])))
        limits = {"acme/search": {"requests": {"1m": 3}}}
        await tell(2, shares={"acme/search": 7_000_000}, limits=limits)
        assert gw.active.digest == digest
        assert scope().weights[-1] == 7_000_000 != before[-1]
        (level,) = (await admin(gw, "/levels/acme/search"))["limits"]
        assert (level["quota"], level["limit"]) == ("acme/search", 3)
        assert (await admin(gw, "/readyz"))["teams_refused"] == []
        assert "team_share_refused" not in capsys.readouterr().out

        too_much = {"acme/search": {"requests": {"1m": 11}}}
        await tell(3, shares={"acme": 2_000_000}, limits=too_much)
        (level,) = (await admin(gw, "/levels/acme/search"))["limits"]
        assert level["limit"] == 3, "the last one that the policy let stand"
        refused = (await admin(gw, "/readyz"))["teams_refused"]
        assert [(each["tenant"], each["what"], each["code"]) for each in refused] == [
            ("acme", "weight", "beyond_delegation"),
            ("acme/search", "requests per 1m", "limit_above_parent"),
        ]
        page = gw.metrics_page().decode()
        assert 'headway_team_shares_refused{code="beyond_delegation"} 1' in page
        assert 'headway_team_shares_refused{code="limit_above_parent"} 1' in page
        told = capsys.readouterr()
        lines = [line for line in (told.out + told.err).splitlines() if "team_share_refused" in line]
        assert len(lines) == 2
        assert "limit_above_parent" in "".join(lines)
        assert (await post(gw)).status == 200


async def test_a_directory_from_before_the_policy_that_delegates_is_looked_at_again_with_it(tmp_path):
    limits = {"acme/search": {"requests": {"1m": 3}}}
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        plain = policy.bundle(policy.records([one.url]))
        write_state(tmp_path / "state", policy.state_files(plain, serial=2, limits=limits))
        await until(lambda: gw.active.directory.serial == 2)
        assert gw.readiness()["teams_refused"] == [], "nobody it knows"
        packed = policy.bundle(divided(policy.records([one.url])))
        write_state(tmp_path / "state", policy.state_files(packed, serial=3, limits=limits))
        await until(lambda: gw.active.directory.serial == 3)
        (level,) = gw.coordinator.levels("acme/search").limits
        assert level.limit == 3


async def test_levels_are_told_of_one_tenant_alone(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        assert (await post(gw)).status == 200
        told = await admin(gw, "/levels/tight")
        assert {row["tenant"] for row in told["limits"]} == {"tight"}
        told = await admin(gw, "/levels/nobody")
        assert told == {"limits": [], "concurrency": [], "reservations": [], "caps": []}


async def test_a_bad_new_state_is_reported_and_the_old_one_goes_on(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        digest = gw.active.digest
        files = policy.state_files(policy.bundle(policy.records([URL])), serial=2)
        write_state(tmp_path / "state", files | {"bundle.tar": files["bundle.tar"][:-512] + b"x" * 512})
        await until(lambda: gw.readiness()["refused"])
        ready = await admin(gw, "/readyz")
        assert ready["ready"]
        assert ready["bundle"] == digest
        assert ready["refused"]["code"]
        assert (await post(gw)).status == 200
        write_state(tmp_path / "state", files)
        await until(lambda: gw.active.digest != digest)
        assert gw.readiness()["refused"] is None


async def test_requests_waiting_for_a_pool_that_a_new_policy_drops_are_refused(tmp_path):
    async def never(call):
        await asyncio.Event().wait()

    async with replicas(script=never) as (one,), gateway(tmp_path, [one.url], sequences=1) as gw:
        held = await RawClient.to(gw.data.port)
        await held.send(chat_request(chat_body()))
        await until(lambda: one.calls)
        waiting = asyncio.ensure_future(post(gw))
        await until(lambda: gw.coordinator.queue_depths().total() == 1)
        records = policy.records([one.url])
        renamed = policy.renamed_pool(records, "chat-z")
        write_state(tmp_path / "state", policy.state_files(policy.bundle(renamed), serial=2))
        assert (await waiting).status == 503
