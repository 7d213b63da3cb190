"""Does ``headway gateway`` start only on a verified policy, say so, and end cleanly?"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys

import pytest

from tests.gateway import policy
from tests.gateway.raw_client import RawClient
from tests.gateway.running import chat_body, chat_request, write_state
from tests.gateway.upstream import replicas

pytestmark = pytest.mark.slow


async def start(*arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from headway.cli.main import main; main()",
        "gateway",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": "platform", "PATH": "/usr/bin"},
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    _, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, stderr.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_says_where_and_stops_on_a_signal(tmp_path, number):
    async with replicas() as (one,):
        write_state(tmp_path / "s", policy.state_files(policy.bundle(policy.records([one.url]))))
        ready = tmp_path / "ready.json"
        process = await start(
            "--state", tmp_path / "s", "--port", 0, "--admin-port", 0, "--ready-file", ready
        )
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        facts = json.loads(ready.read_text())
        assert f"127.0.0.1:{facts['port']}/v1" in line
        assert facts["pid"] == process.pid
        client = await RawClient.to(facts["port"])
        await client.send(chat_request(chat_body()))
        assert (await client.answer()).status == 200
        process.send_signal(number)
        code, stderr = await ended(process)
        assert code == 0
        assert not ready.exists()
        events = [json.loads(line)["event"] for line in stderr.splitlines()]
        assert {"serving", "stopped"} <= set(events)
        assert "three words" not in stderr


async def test_a_tampered_bundle_is_exit_2_with_the_code_on_stderr(tmp_path):
    files = policy.state_files(policy.bundle(policy.records(["http://127.0.0.1:9"])))
    files["bundle.tar"] = files["bundle.tar"].replace(b"llama-3-8b", b"llama-3-9b", 1)
    write_state(tmp_path / "s", files)
    code, stderr = await ended(await start("--state", tmp_path / "s", "--port", 0, "--admin-port", 0))
    assert code == 2
    assert "digest_mismatch" in stderr


async def test_no_policy_is_exit_2(tmp_path):
    code, stderr = await ended(await start("--port", 0, "--admin-port", 0))
    assert code == 2
    assert "--state" in stderr


async def test_a_taken_port_is_a_clear_message(tmp_path):
    write_state(tmp_path / "s", policy.state_files(policy.bundle(policy.records(["http://127.0.0.1:9"]))))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, stderr = await ended(await start("--state", tmp_path / "s", "--port", port, "--admin-port", 0))
    assert code == 3
    assert "cannot listen" in stderr
    assert str(port) in stderr
