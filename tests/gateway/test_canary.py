"""What do clients and operators see of a canary that fares worse than the others?"""

from __future__ import annotations

import json

from msgspec.structs import replace

from coordination.program.index import load
from coordination.program.records import GuardRecord, ProgramRecords, RouteTarget
from gateway.activation import Active
from tests.gateway.policy import SECOND
from tests.gateway.running import admin, explanation, gateway, post
from tests.gateway.test_failures import fail_500
from tests.gateway.test_hedging import counted
from tests.gateway.upstream import replicas

ARM = 'route="chat",pool="canary"'


def on_trial(url: str, weight: int = 1):
    """Half of the sessions go to a second pool, under a guard."""

    def change(policy: ProgramRecords) -> ProgramRecords:
        (pool,), (route,) = policy.pools, policy.routes
        guard = GuardRecord(errors_ppm=20_000, slower_ppm=500_000, over=300 * SECOND)
        canary = RouteTarget(pool="canary", weight=weight, canary=True, guard=guard)
        pools = (replace(pool, name="canary", replicas=(url,)), pool)
        return replace(policy, pools=pools, routes=(replace(route, targets=(*route.targets, canary)),))

    return change


async def ask(gw, count: int):
    return [await post(gw, fields=f"x-session-id: s{number}\r\n") for number in range(count)]


async def test_a_canary_that_fails_is_given_up_and_its_sessions_are_served_by_the_others(tmp_path):
    async with (
        replicas(2) as (stable, canary),
        gateway(tmp_path, [stable.url], change=on_trial(canary.url), attempts=0) as gw,
    ):
        canary.script = fail_500
        answers = await ask(gw, 24)
        failed = [one for one in answers if one.status != 200]
        assert [one.status for one in failed] == [502] * 3
        assert len(canary.calls) == 3
        page = await admin(gw, "/metrics")
        assert counted(page, "headway_canary_given_up") == {ARM: 1}
        (shown,) = (await admin(gw, "/canaries"))["canaries"]
        assert (shown["route"], shown["pool"], shown["requests"], shown["failed"]) == ("chat", "canary", 3, 3)
        assert shown["given_up"]["why"] == "errors"
        again = await ask(gw, 24)
        assert {one.status for one in again} == {200}
        told = [await explanation(gw, one) for one in again]
        moved = [
            one
            for one in told
            if any(step["says"].startswith("canary canary is given up") for step in one["decision"]["steps"])
        ]
        assert moved
        assert {one["decision"]["pool"] for one in told} == {"chat-a"}
        assert {one["decision"]["pool"] for one in moved} == {"chat-a"}


async def test_a_canary_that_fares_as_well_keeps_its_part(tmp_path):
    async with (
        replicas(2) as (stable, canary),
        gateway(tmp_path, [stable.url], change=on_trial(canary.url)) as gw,
    ):
        assert {one.status for one in await ask(gw, 24)} == {200}
        assert len(canary.calls) > 3
        assert counted(await admin(gw, "/metrics"), "headway_canary_given_up") == {ARM: 0}
        (shown,) = (await admin(gw, "/canaries"))["canaries"]
        assert (shown["requests"], shown["failed"]) == (len(canary.calls), 0)
        assert shown["requests_of_others"] == len(stable.calls)
        assert shown["given_up"] is None


async def test_a_client_that_asks_for_nonsense_says_nothing_of_the_canary(tmp_path):
    async def refuse(call):
        await call.whole(json.dumps({"error": {"message": "no"}}).encode(), status="400 Bad Request")

    async with (
        replicas(2) as (stable, canary),
        gateway(tmp_path, [stable.url], change=on_trial(canary.url)) as gw,
    ):
        canary.script = refuse
        answers = await ask(gw, 24)
        assert {one.status for one in answers} == {200, 400}
        assert len(canary.calls) > 3
        assert counted(await admin(gw, "/metrics"), "headway_canary_given_up") == {ARM: 0}


async def test_a_policy_that_does_not_change_the_route_keeps_the_verdict(tmp_path):
    async with (
        replicas(2) as (stable, canary),
        gateway(tmp_path, [stable.url], change=on_trial(canary.url), attempts=0) as gw,
    ):
        canary.script = fail_500
        await ask(gw, 24)
        calls = len(canary.calls)
        active = gw.active
        same = Active(
            digest=active.digest,
            environment=active.environment,
            program=load(active.program.records),
            directory=active.directory,
            stale=False,
            pointer=None,
        )
        gw.coordinator.activate(same)
        assert {one.status for one in await ask(gw, 12)} == {200}
        assert len(canary.calls) == calls


async def test_without_canaries_there_is_nothing_to_show(tmp_path):
    async with replicas() as (stable,), gateway(tmp_path, [stable.url]) as gw:
        assert (await post(gw)).status == 200
        assert (await admin(gw, "/canaries")) == {"canaries": []}
        assert "headway_canary" not in await admin(gw, "/metrics")
