"""Batches of gateways: kept before they are acknowledged, one at a time, and refused with a reason."""

from __future__ import annotations

import asyncio

import msgspec
import orjson
import pytest

from delivery.endpoints import DeliveryApplication
from foundation.http.raw import MAX_BODY
from tests.delivery.test_endpoints import ME, Archive, World

USAGE = f"/api/v1/gateways/{ME}/usage"


class WithIntake(World):
    """Takes usage; a test says what becomes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, str, bytes]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.trouble: Exception | None = None
        self.app = DeliveryApplication(
            self.board, Archive(), lambda asked: (201, {}), lambda *_: None, {"usage": self._take}
        )

    async def _take(self, gateway, environment, body):
        self.taken.append((gateway, environment, body))
        await self.may_answer.wait()
        if self.trouble is not None:
            raise self.trouble
        return {"accepted": 1}


@pytest.fixture
async def world():
    made = WithIntake()
    await made.board.start()
    yield made
    await made.board.stop()


def code(body):
    return orjson.loads(body)["code"]


async def test_a_batch_is_answered_with_its_receipt(world):
    status, _, body = await world.ask("POST", USAGE, body=b"batch")
    assert (status, orjson.loads(body)) == (200, {"accepted": 1})
    assert world.taken == [(ME, "dev", b"batch")]


async def test_nothing_is_answered_before_it_is_kept(world):
    world.may_answer.clear()
    waiting = asyncio.create_task(world.ask("POST", USAGE, body=b"batch"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    world.may_answer.set()
    assert (await asyncio.wait_for(waiting, 10))[0] == 200


async def test_a_second_batch_waits_for_the_first(world):
    world.may_answer.clear()
    first = asyncio.create_task(world.ask("POST", USAGE, body=b"1"))
    await asyncio.sleep(0.01)
    status, headers, body = await world.ask("POST", USAGE, body=b"2")
    assert (status, code(body), headers[b"retry-after"]) == (429, "busy", b"1")
    world.may_answer.set()
    assert (await first)[0] == 200
    assert (await world.ask("POST", USAGE, body=b"2"))[0] == 200


async def test_a_sender_that_hangs_up_does_not_take_its_batch_back(world):
    world.may_answer.clear()
    asked = asyncio.create_task(world.ask("POST", USAGE, body=b"batch"))
    await asyncio.sleep(0.01)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    world.may_answer.set()
    assert (await world.ask("POST", USAGE, body=b"batch"))[0] == 200


@pytest.mark.parametrize(
    ("trouble", "status", "name"),
    [
        (msgspec.ValidationError("at $.events"), 400, "malformed_usage"),
        (RuntimeError("disk"), 503, "not_kept"),
    ],
)
async def test_what_goes_wrong_says_whether_to_send_again(world, trouble, status, name):
    world.trouble = trouble
    answered, _, body = await world.ask("POST", USAGE, body=b"batch")
    assert (answered, code(body)) == (status, name)
    assert orjson.loads(body)["retryable"] == (status == 503)


async def test_for_another_gateway_without_credential_with_another_method_or_too_much(world):
    other = f"/api/v1/gateways/gw_{'b' * 26}/usage"
    assert (await world.ask("POST", other))[0] == 403
    assert (await world.ask("POST", USAGE, credential="hwg_other"))[0] == 401
    assert (await world.ask("GET", USAGE))[0] == 405
    assert (await world.ask("POST", USAGE, body=b"x" * (MAX_BODY + 1)))[0] == 413
    assert (await world.ask("POST", f"/api/v1/gateways/{ME}/nothing"))[0] == 405
    assert world.taken == []
