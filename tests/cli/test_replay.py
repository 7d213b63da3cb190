"""Does ``headway replay`` say what it will not do, and end with the exit code its help promises?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "quickstart" / "trace.jsonl"
HANG_GUARD_S = 60

STREAM = (
    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":1,'
    b'"prompt_tokens_details":{"cached_tokens":4}}}\n\n'
    b"data: [DONE]\n\n"
)


class Gateway(BaseHTTPRequestHandler):
    """Knows one key; answers, refuses, loses or keeps silent as its server was told."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers["authorization"] != "Bearer good":
            self._answer(401, b'{"error": {"code": "invalid_api_key"}}', "application/json")
        else:
            self._answer(200, b'{"data": [{"id": "tiny"}]}', "application/json")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        play = self.server.play  # type: ignore[attr-defined]
        if play == "refuse":
            self._answer(429, b'{"error": {"code": "rate_limit_exceeded"}}', "application/json")
        elif play == "lose":
            self.close_connection = True
        elif play == "hang":
            self.server.hung.set()  # type: ignore[attr-defined]
            self.rfile.read(1)
        else:
            self._answer(200, STREAM, "text/event-stream")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-headway-tier-served", "standard")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def gateway(play: str = "answer") -> Iterator[tuple[str, threading.Event]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.daemon_threads = True
    server.play = play  # type: ignore[attr-defined]
    server.hung = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.hung  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def headway(*options: str, key: str | None = "good", folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headway", "replay", *options],
        env=environment(key),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANG_GUARD_S,
        check=False,
    )


def environment(key: str | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "HEADWAY_API_KEY"}
    return {**kept, "PYTHONPATH": str(ROOT / "platform"), **({"HEADWAY_API_KEY": key} if key else {})}


NOBODY = ("--target", "http://127.0.0.1:1")
FAST = ("--speed", "1000", "--format", "json")


def test_a_replay_that_loses_nothing_ends_with_0_and_a_json_summary():
    with gateway() as (url, _):
        ended = headway(str(EXAMPLE), "--target", f"{url}/v1", "--limit", "12", *FAST)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert (summary["requests"], summary["completed"], summary["lost"]) == (12, 12, 0)
    assert (summary["prompt_tokens"], summary["cached_tokens"], summary["cached_share"]) == (120, 48, 0.4)
    assert summary["by_tier"]["standard"]["completed"] == 12
    assert set(summary["ttft_ms"]) == {"mean", "p50", "p90", "p95", "p99", "max"}
    assert ended.stderr == ""  # progress is for terminals


def test_the_text_summary_is_the_default():
    with gateway() as (url, _):
        ended = headway(str(EXAMPLE), "--target", url, "--limit", "3", "--speed", "1000")
    assert ended.returncode == 0, ended.stderr
    assert "tier standard" in ended.stdout
    assert "(40.0%)" in ended.stdout


def test_refusals_with_a_code_are_no_failure():
    with gateway("refuse") as (url, _):
        ended = headway(str(EXAMPLE), "--target", url, "--limit", "5", *FAST)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["refused"] == {"rate_limit_exceeded": 5}


def test_a_lost_request_ends_with_1_and_its_reason():
    with gateway("lose") as (url, _):
        ended = headway(str(EXAMPLE), "--target", url, "--limit", "2", *FAST)
    assert ended.returncode == 1
    summary = json.loads(ended.stdout)
    assert summary["lost"] == 2
    assert summary["lost_because"] == {"the connection was closed before the answer ended": 2}


def test_a_damaged_record_ends_with_2_after_the_answers_to_those_before_it(tmp_path):
    trace = tmp_path / "t.jsonl"
    trace.write_text("".join(EXAMPLE.read_text().splitlines(keepends=True)[:2]) + "{}\n")
    with gateway() as (url, _):
        ended = headway(str(trace), "--target", url, *FAST)
    assert ended.returncode == 2
    assert json.loads(ended.stdout)["completed"] == 2
    assert f"{trace}:3: " in ended.stderr


def test_keys_come_from_the_file_and_tenants_choose_among_them(tmp_path):
    keys = tmp_path / "var" / "demo.json"
    keys.parent.mkdir()
    keys.write_text(
        json.dumps({"tenants": [{"name": n, "api_key": "good"} for n in ("acme", "globex", "x")]})
    )
    with gateway() as (url, _):
        wanted = (str(EXAMPLE), "--target", url, "--limit", "40", "--tenants", "acme,globex", *FAST)
        for ended in (
            headway(*wanted, "--keys", str(keys), key=None),
            headway(*wanted, key=None, folder=tmp_path),
        ):
            assert ended.returncode == 0, ended.stderr
            assert set(json.loads(ended.stdout)["by_tenant"]) == {"acme", "globex"}


@pytest.mark.parametrize(
    ("trace", "options", "key", "says"),
    [
        pytest.param("nowhere.jsonl", (), "good", "nowhere.jsonl: No such file", id="no such trace"),
        pytest.param(str(EXAMPLE), ("--target", "127.0.0.1"), "good", "is not like http://", id="no URL"),
        pytest.param(str(EXAMPLE), (), "bad", "401 invalid_api_key", id="a key the gateway refuses"),
        pytest.param(str(EXAMPLE), (), None, "no API keys: give --keys", id="no key at all"),
        pytest.param(str(EXAMPLE), ("--keys", "n.json"), None, "n.json: No such file", id="no keys file"),
        pytest.param(str(EXAMPLE), NOBODY, "good", "no connection to", id="nobody listens"),
    ],
)
def test_what_cannot_run_ends_with_2_one_line_and_no_summary(tmp_path, trace, options, key, says):
    with gateway() as (url, _):
        target = () if "--target" in options else ("--target", url)
        ended = headway(trace, *target, *options, key=key, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_ctrl_c_prints_the_summary_so_far():
    with gateway("hang") as (url, hung):
        running = subprocess.Popen(
            [sys.executable, "-m", "headway", "replay", str(EXAMPLE), "--target", url, "--format", "json"],
            env=environment("good"),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert hung.wait(HANG_GUARD_S)
            running.send_signal(signal.SIGINT)
            output, _ = running.communicate(timeout=HANG_GUARD_S)
        finally:
            running.kill()
    assert running.returncode == 130
    summary = json.loads(output)
    assert summary["stopped"]
    assert summary["abandoned"] == summary["requests"] >= 1
