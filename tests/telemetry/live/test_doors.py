"""Who gets in, who is shown the door, and who may listen to what. Each is a promise of the threat model."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from telemetry.live import notice
from telemetry.live.connection import BUSY, MALFORMED, PROTOCOL, TOO_LARGE, UNAUTHENTICATED
from telemetry.live.hub import MOST_SOCKETS
from telemetry.live.messages import Message
from tests.telemetry.batches import series
from tests.telemetry.live.guests import Socket, socket

in_thread = sync_to_async(lambda work: work(), thread_sensitive=False)


async def hello(opened: Socket) -> Socket:
    opened.say(op="hello", v=1)
    await opened.until(lambda: opened.of("welcome"))
    return opened


@pytest.mark.parametrize(
    "scope",
    [
        {"headers": {b"origin": None}},
        {"headers": {b"origin": b"http://elsewhere.test"}},
        {"headers": {b"origin": b"null"}},
        {"headers": {b"origin": b"http://console.test:81"}},
        {"subprotocols": []},
        {"subprotocols": ["another"]},
        {"path": "/ws/other"},
    ],
    ids=[
        "no origin",
        "another site",
        "opaque origin",
        "another port",
        "no protocol",
        "other protocol",
        "path",
    ],
)
async def test_whoever_comes_by_another_way_does_not_even_get_a_socket(hub, world, scope):
    headers = {**world["cookies"]["olga"], **scope.pop("headers", {})}
    async with socket(hub, headers=headers, **scope) as opened:
        assert await opened.closed() == 1008
        assert not opened.accepted


@pytest.mark.parametrize("who", ["stranger", "forged", "nobody"])
async def test_without_a_session_or_a_role_the_page_is_told_that_it_is_signed_out(hub, world, who):
    cookies = {"forged": {b"cookie": b"headway_session=made-up"}, "nobody": world["cookies"]["nobody"]}
    async with socket(hub, headers=cookies.get(who, {})) as opened:
        assert await opened.closed() == UNAUTHENTICATED
        assert not opened.frames


async def test_a_ticket_opens_one_socket_without_an_origin(hub, world):
    secret = world["token"].secret
    answer = await in_thread(
        lambda: Client().post("/api/v1/ws-tickets", headers={"authorization": f"Bearer {secret}"})
    )
    assert answer.status_code == 201
    protocols = answer.json()["protocols"]
    async with socket(hub, headers={b"origin": None}, subprotocols=protocols) as opened:
        await hello(opened)
        assert (await opened.subscribed("fleet.tiers"))["t"] == "snap"
    async with socket(hub, headers={b"origin": None}, subprotocols=protocols) as again:
        assert await again.closed() == UNAUTHENTICATED, "one use"
    forged = [PROTOCOL, "ticket.made-up"]
    async with socket(hub, headers={b"origin": None}, subprotocols=forged) as opened:
        assert await opened.closed() == UNAUTHENTICATED


async def test_a_ticket_does_not_excuse_another_site_s_origin(hub, world):
    answer = await in_thread(lambda: world["clients"]["olga"].post("/api/v1/ws-tickets"))
    headers = {b"origin": b"http://elsewhere.test"}
    async with socket(hub, headers=headers, subprotocols=answer.json()["protocols"]) as opened:
        assert await opened.closed() == 1008


async def test_a_ticket_is_for_the_signed_in_alone():
    assert (await in_thread(lambda: Client().post("/api/v1/ws-tickets"))).status_code in (401, 403)


async def test_a_tenant_s_people_hear_of_their_own_and_of_nothing_else(hub, world):
    """Ann subscribes to everything there is, by every name she could think of; of globex comes no byte."""
    for _ in range(3):
        hub.second(series("acme", requests=2), series("acme/web"), series("globex", "secret-tier"))
    async with socket(hub, headers=world["cookies"]["ann"]) as opened:
        await hello(opened)
        refused = []
        for number, channel in enumerate(
            (
                "fleet.tiers",
                "fleet.pools",
                "fleet.replicas",
                "fleet.tenants",
                "fleet.queues",
                "releases",
                "alerts",
                "decisions",
                "health",
                "nothing.such",
            )
        ):
            refused.append(await opened.subscribed(channel, number))
        for number, tenant in enumerate(("globex", "globex/x", "acme/web", "acme/../globex", "*"), 20):
            refused.append(await opened.subscribed("me.usage", number, args={"tenant": tenant}))
        assert {frame["t"] for frame in refused} == {"err"}
        assert len({frame["msg"] for frame in refused}) == 1, "whether it exists is told to nobody"
        assert (await opened.subscribed("me.usage", 40, args={"environment": "prod"}))["code"] == "args"
        own = await opened.subscribed("me.usage", 50)
        await opened.subscribed("me.latency", 51, args={"tenant": "acme"})
        assert dict(zip(own["k"], own["v"], strict=True))["*"][own["m"].index("requests_1m")] == 9
        hub.second(series("acme"), series("globex", "secret-tier"))
        await opened.until(lambda: len(opened.of("d")) >= 2)
        assert not any("globex" in text or "secret-tier" in text for text in opened.raw)


async def test_the_staff_hear_of_the_fleet_and_are_nobody_s_tenant(hub, world):
    hub.second(series("acme"))
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await hello(opened)
        assert (await opened.subscribed("fleet.tenants", 1))["k"] == ["acme"]
        assert (await opened.subscribed("me.usage", 2, args={"tenant": "acme"}))["code"] == "forbidden"


async def revoked(hub, opened, deed):
    """Do it as the product does, and let the hub hear of it as it does from any process."""
    loop = asyncio.get_running_loop()

    def listener(message: Message) -> None:
        loop.call_soon_threadsafe(hub.take, message)

    notice.listen(listener)
    try:
        await in_thread(deed)
        return await opened.closed()
    finally:
        notice.forget(listener)


async def test_whoever_signs_out_is_cut_off_at_once(hub, world):
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await hello(opened)
        client = world["clients"]["olga"]
        assert await revoked(hub, opened, lambda: client.post("/sign-out/")) == UNAUTHENTICATED


@pytest.mark.parametrize("how", ["role", "account", "password"])
async def test_whose_rights_are_taken_is_cut_off_at_once(hub, world, how):
    olga = world["people"]["olga"]

    def deed():
        if how == "role":
            olga.memberships.all().delete()
        elif how == "account":
            olga.is_active = False
            olga.save()
        else:
            olga.set_password("another-long-enough-one")
            olga.save()

    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await hello(opened)
        assert await revoked(hub, opened, deed) == UNAUTHENTICATED


async def test_a_token_that_is_revoked_takes_its_socket_along(hub, world):
    headers = {"authorization": f"Bearer {world['token'].secret}"}
    answer = await in_thread(lambda: Client().post("/api/v1/ws-tickets", headers=headers))

    def deed():
        row = world["token"].row
        row.revoked_at = row.created_at
        row.save()

    protocols = answer.json()["protocols"]
    async with socket(hub, headers={b"origin": None}, subprotocols=protocols) as opened:
        await hello(opened)
        assert await revoked(hub, opened, deed) == UNAUTHENTICATED


async def test_what_nobody_told_of_is_found_within_a_minute(hub, world):
    """A role swept away behind the product's back: the look each minute finds it."""
    async with socket(hub, headers=world["cookies"]["ann"]) as opened:
        await hello(opened)
        snap = await opened.subscribed("me.usage")
        opened.say(op="ack", s={"1": snap["q"]})
        await in_thread(
            lambda: world["people"]["ann"].memberships.update(tenant="initech")  # no signal is sent
        )
        hub.time += 60
        hub.pass_by()
        await opened.until(lambda: opened.of("err"))
        assert opened.of("err")[0]["code"] == "forbidden"


async def test_a_message_of_a_megabyte_closes_the_socket(hub, world):
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await hello(opened)
        opened.text('{"op":"ping","x":"' + "x" * 1_000_000 + '"}')
        assert await opened.closed() == TOO_LARGE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"op":"drop"}',
        '{"op":"sub","id":-1}',
        '{"op":"sub","hz":1e999}',
        "\ud800"[:0] + "null",
    ],
)
async def test_what_is_no_message_closes_the_socket(hub, world, text):
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await hello(opened)
        opened.text(text)
        assert await opened.closed() == MALFORMED


async def test_whoever_does_not_greet_is_sent_away(hub, world):
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        opened.say(op="sub", id=1, ch="fleet.tiers")
        assert await opened.closed() == MALFORMED


async def test_a_flood_of_messages_closes_the_socket(hub, world):
    async with socket(hub, headers=world["cookies"]["olga"]) as opened:
        await hello(opened)
        for _ in range(60):
            opened.say(op="ping")
        assert await opened.closed() == BUSY


async def test_one_person_has_so_many_sockets_and_no_more(hub, world):
    opened = [Socket(hub, headers=world["cookies"]["olga"]) for _ in range(MOST_SOCKETS + 1)]
    for each in opened:
        await each.until(lambda: each.accepted)  # noqa: B023
    codes = []
    for each in opened:
        if each.task.done() or each.code is not None:
            codes.append(await each.closed())
    assert hub.sockets == MOST_SOCKETS
    for each in opened:
        each.hang_up()
    await asyncio.gather(*(each.task for each in opened))
    assert hub.sockets == 0
