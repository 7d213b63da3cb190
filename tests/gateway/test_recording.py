"""Is what was asked of a gateway on record, to be simulated, and nothing of what was said?"""

from __future__ import annotations

import shutil

import msgspec
import pytest

from coordination.simulator import Client, Mix, from_trace
from coordination.traces import read_trace
from coordination.traces.recorded import Recorded
from gateway import recording
from gateway.recording import SUFFIX
from tests.gateway.raw_client import until
from tests.gateway.running import gateway, post
from tests.gateway.upstream import replicas

SECRET_WORDS = "the launch code is swordfish. "
MIX = Mix((Client("nobody"),), "nothing")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(recording, "FLUSH_SECONDS", 0.01)


async def test_what_was_asked_is_read_again_as_traffic(tmp_path):
    long = [{"role": "user", "content": SECRET_WORDS * 200}]
    folder = tmp_path / "recordings"
    async with replicas() as (one,), gateway(tmp_path, [one.url], options={"record": folder}) as gw:
        asked = {"messages": long, "stream": True, "max_tokens": 9, "service_tier": "standard"}
        await post(gw, key="tight", fields="x-headway-deadline-ms: 60000\r\n", **asked)
        refused = await post(gw, key="tight", messages=long)
        await post(gw, key="tight", messages=long)
        await post(gw, model="nope", messages=long)
        await until(lambda: gw.recording.written == 3)
        assert gw.readiness()["recording"] == {"written": 3, "left_out": 0, "stopped": None}
    assert refused.status == 429
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"swordfish" not in file.read_bytes()
    answered, *unanswered = [
        msgspec.json.decode(line, type=Recorded) for line in file.read_bytes().splitlines()[1:]
    ]
    assert answered.replica == one.url
    assert [answered.at, answered.sent, answered.first, answered.ended] == sorted(
        [answered.at, answered.sent or 0, answered.first or 0, answered.ended]
    )
    assert answered.cached is not None
    assert answered.cached < answered.input_tokens
    assert {one.replica for one in unanswered} == {None}
    served, turned_away, again = from_trace(read_trace(file), MIX, speed=1, seed=1)
    assert (served.tenant, served.service_tier, served.model) == ("tight", "standard", "llama-3-8b")
    assert (served.max_tokens, served.at_us) == (9, 0)
    assert (served.deadline_us, turned_away.deadline_us) == (60_000_000, None)
    assert turned_away.at_us > 0
    assert turned_away.blocks == again.blocks  # the same prompt: it could have been found in a cache
    assert 0 < len(turned_away.blocks) <= turned_away.prompt_tokens // 512


async def test_an_answer_in_one_piece_has_no_first_token(tmp_path):
    folder = tmp_path / "recordings"
    async with replicas() as (one,), gateway(tmp_path, [one.url], options={"record": folder}) as gw:
        await post(gw)
        await until(lambda: gw.recording.written == 1)
    (file,) = folder.iterdir()
    answered = msgspec.json.decode(file.read_bytes().splitlines()[1], type=Recorded)
    assert (answered.replica, answered.first) == (one.url, None)
    assert answered.sent is not None
    assert answered.at <= answered.sent <= answered.ended


async def test_a_restart_goes_on_after_the_last_whole_line(tmp_path):
    folder = tmp_path / "recordings"
    for boot in range(2):
        own = tmp_path / f"{boot}"
        own.mkdir()
        async with replicas() as (one,), gateway(own, [one.url], options={"record": folder}) as gw:
            await post(gw)
        (file,) = folder.glob(f"*{SUFFIX}")
        with file.open("ab") as torn:
            torn.write(b'{"at":17,"ten')
    with file.open("rb+") as mended:
        mended.truncate(file.stat().st_size - 13)
    assert len(list(read_trace(file))) == 2


async def test_a_full_day_and_a_disk_that_fails_stop_the_recording_and_no_request(tmp_path):
    folder = tmp_path / "recordings"
    async with replicas() as (one,), gateway(tmp_path, [one.url], options={"record": folder}) as gw:
        gw.recording._largest = 10
        assert (await post(gw)).status == 200
        await until(lambda: gw.recording.left_out == 1)

        shutil.rmtree(folder)
        folder.touch()
        gw.recording._file = None
        assert (await post(gw)).status == 200
        await until(lambda: gw.recording.stopped)
        assert (await post(gw)).status == 200
        assert gw.readiness()["recording"]["stopped"] == "Not a directory"


async def test_old_days_go(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    old, other = folder / f"2020-01-01{SUFFIX}", folder / "2020-01-01.txt"
    old.touch()
    other.touch()
    async with replicas() as (one,), gateway(tmp_path, [one.url], options={"record": folder}) as gw:
        await post(gw)
    assert not old.exists()
    assert other.exists()
