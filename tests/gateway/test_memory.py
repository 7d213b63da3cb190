"""A restart, a kill, a damaged file: what the next gateway knows of the limits."""

from __future__ import annotations

import shutil
import time
from typing import Any

import msgspec
import pytest

from coordination.bundle.directory import Credit
from coordination.program.records import LimitRecord, ProgramRecords
from gateway.memory import FILE
from tests.gateway.console import Console
from tests.gateway.policy import bundle, quota, records, state_files
from tests.gateway.raw_client import until
from tests.gateway.running import admin, error_code, gateway, post, write_state
from tests.gateway.upstream import replicas


def four_a_day(policy: ProgramRecords) -> ProgramRecords:
    limits = (
        LimitRecord(of="requests", per="day", limit=4),
        LimitRecord(of="total_tokens", per="month", limit=10**6),
    )
    return msgspec.structs.replace(policy, quotas=(quota("acme-all", "acme", limits),))


async def used(gw) -> list[int]:
    return [one["used"] for one in (await admin(gw, "/levels/acme"))["limits"]]


async def test_a_restart_goes_on_counting(tmp_path):
    own = tmp_path / "own"
    async with replicas() as (one,):
        async with gateway(tmp_path, [one.url], own=own, change=four_a_day) as gw:
            for _ in range(3):
                assert (await post(gw)).status == 200
            assert await used(gw) == [3, 42]
        async with gateway(tmp_path, [one.url], own=own, change=four_a_day) as gw:
            assert await used(gw) == [3, 42]
            assert (await post(gw)).status == 200
            assert error_code(await post(gw)) == "rate_limit_exceeded"


@pytest.mark.parametrize("written", ["never", "before", "damaged"])
async def test_a_kill_forgets_nothing_that_is_on_record(tmp_path, written):
    """The folder is taken as it is in mid-flight: with the file of before, none, or half of one."""
    own, left = tmp_path / "own", tmp_path / "left"
    async with replicas() as (one,):
        async with gateway(tmp_path, [one.url], own=own, change=four_a_day) as gw:
            await post(gw)
            if written == "before":
                await gw.books.memory.write()
            await post(gw)
            await until(lambda: (own / "usage" / FILE).exists())
            shutil.copytree(own, left)
        if written == "never":
            (left / "usage" / FILE).unlink()
        if written == "damaged":
            (left / "usage" / FILE).write_bytes(b'[1,0,[[["quo')
        async with gateway(tmp_path, [one.url], own=left, change=four_a_day) as gw:
            assert await used(gw) == [2, 28]


async def test_what_the_console_has_taken_is_known_all_the_same(tmp_path):
    own, console = tmp_path / "own", Console()
    async with replicas() as (one,):
        async with gateway(tmp_path, [one.url], own=own, post=console, change=four_a_day) as gw:
            await post(gw)
            await until(lambda: console.events)
        async with gateway(tmp_path, [one.url], own=own, post=console, change=four_a_day) as gw:
            assert await used(gw) == [1, 14]


async def test_a_credit_of_the_directory_is_carried_out_once_whatever_follows(tmp_path):
    own = tmp_path / "own"
    one_more = Credit(
        id="cr_" + "a" * 26,
        quota="acme-all",
        of="requests",
        per="day",
        amount=1,
        made_at=time.time_ns() // 1000,
    )

    def tell(url: str, serial: int, **more: Any) -> None:
        packed = bundle(four_a_day(records([url])))
        write_state(tmp_path / "state", state_files(packed, serial=serial, credits=(one_more,), **more))

    async with replicas() as (one,):
        async with gateway(tmp_path, [one.url], own=own, change=four_a_day) as gw:
            for _ in range(4):
                assert (await post(gw)).status == 200
            assert error_code(await post(gw)) == "rate_limit_exceeded"
            tell(one.url, 2)
            await until(lambda: gw.active.directory.serial == 2)
            assert (await post(gw)).status == 200
            assert error_code(await post(gw)) == "rate_limit_exceeded"
            tell(one.url, 3, shares={"acme": 2_000_000})
            await until(lambda: gw.active.directory.serial == 3)
            assert error_code(await post(gw)) == "rate_limit_exceeded"
        async with gateway(tmp_path, [one.url], own=own, change=four_a_day) as gw:
            tell(one.url, 4)
            await until(lambda: gw.active.directory.serial == 4)
            assert error_code(await post(gw)) == "rate_limit_exceeded"
