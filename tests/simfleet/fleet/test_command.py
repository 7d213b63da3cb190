"""``headway simfleet`` as a process: it says where it listens, ends when told, and explains itself."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from coordination.capacity import PROFILES
from coordination.capacity.profile_file import profile_bytes

HANG = 20.0
COMMAND = [sys.executable, "-c", "from headway.cli.main import main; main()", "simfleet"]
ROOT = Path(__file__).parents[3]


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A fleet of one's own; killed at the end if it has not ended itself."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT / "platform")},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_announces_its_addresses_and_ends_when_told(tmp_path, told):
    ready = tmp_path / "ready.json"
    with started("--port", "0", "--replicas", "3", "--ready-file", str(ready)) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert line["event"] == "simfleet.ready"
        written = json.loads(ready.read_text())
        assert written["pid"] == line["pid"] == process.pid
        assert [replica["url"] for replica in written["replicas"]] == line["urls"]
        assert len(set(line["urls"])) == 3
        for url in line["urls"]:
            with urllib.request.urlopen(f"{url}/health", timeout=HANG) as answer:  # noqa: S310 - our own
                assert answer.status == 200
        busy = socket.create_connection(("127.0.0.1", int(line["urls"][0].rsplit(":", 1)[1])))
        process.send_signal(told)
        assert process.wait(HANG) == 0
        assert not ready.exists()
        busy.close()


def test_its_replicas_are_what_a_file_says(tmp_path):
    """A calibrated profile: its KV memory is what the engines tell of themselves."""
    small = replace(PROFILES["llama-3-8b-h100-tp1"], name="calibrated", kv_tokens=20 * 512)
    file = tmp_path / "mine.json"
    file.write_bytes(profile_bytes(small))
    with started("--port", "0", "--replicas", "1", "--profile", str(file)) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert line["profile"] == "calibrated"
        with urllib.request.urlopen(f"{line['urls'][0]}/v1/models", timeout=HANG) as answer:  # noqa: S310
            assert json.load(answer)["data"][0]["max_model_len"] == 20 * 512


def test_a_taken_port_is_explained_with_status_2():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with started("--base-port", str(port), "--replicas", "1") as process:
            _, errors = process.communicate(timeout=HANG)
            assert process.returncode == 2
            assert f"127.0.0.1:{port}" in errors
            assert "--base-port" in errors
            assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--profile", "abacus"], "abacus: neither a profile (llama-3-8b-h100-tp1"),
        (["--profile", str(ROOT / "README.md")], "README.md: not a profile"),
        (["--base-port", "65530", "--replicas", "8"], "past 65535"),
        (["--port", "0", "--ready-file", "/nowhere/ready.json"], "/nowhere/ready.json"),
    ],
)
def test_arguments_that_make_no_sense_are_explained_with_status_2(arguments, says):
    with started(*arguments) as process:
        _, errors = process.communicate(timeout=HANG)
        assert process.returncode == 2
        assert says in errors
        assert "Traceback" not in errors
