"""A gateway in this process, on free ports, under a policy for the given replicas."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from coordination.bundle.refusals import Refused
from coordination.program.records import ProgramRecords
from gateway.accounts import OnFull
from gateway.activation import StateFolder
from gateway.clock import PolicyClock
from gateway.feed import Post
from gateway.process import GatewayProcess
from gateway.resolver import Lookup
from gateway.settings import GatewaySettings
from gateway.watcher import Watcher
from gateway.workers.processes import Launch, launch
from tests.gateway import policy
from tests.gateway.raw_client import Answer, RawClient


def write_state(folder: Path, files: dict[str, bytes]) -> None:
    """As a supervisor does: a new folder, renamed over the old one."""
    fresh = folder.with_name(folder.name + ".new")
    fresh.mkdir()
    for name, data in files.items():
        (fresh / name).write_bytes(data)
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.old.{folder.stat().st_mtime_ns}"))
    fresh.rename(folder)


@asynccontextmanager
async def gateway(
    folder: Path,
    replicas: Sequence[str],
    *,
    tls: ssl.SSLContext | None = None,
    lookup: Lookup | None = None,
    own: Path | None = None,
    post: Post | None = None,
    on_ledger_full: OnFull = "serve",
    options: dict[str, Any] | None = None,
    launch: Launch = launch,
    change: Callable[[ProgramRecords], ProgramRecords] = lambda policy: policy,
    **policy_options: Any,
):
    """Serve ``policy.records(replicas, **policy_options)``, changed.

    With ``own``, a folder of its own, it keeps usage there, and tells it to ``post``. ``options``: of
    ``GatewaySettings``; ``launch`` starts its workers, if it has any.
    """
    state = folder / "state"
    records = change(policy.records(replicas, **policy_options))
    write_state(state, policy.state_files(policy.bundle(records)))
    settings = GatewaySettings(
        state=own or state,
        server=None if own is None else "",
        on_ledger_full=on_ledger_full,
        **{"port": 0, "admin_port": 0, "drain_seconds": 0.2} | (options or {}),
    )
    clock = PolicyClock()
    feed = Watcher(StateFolder(state), clock)
    feed.post = post
    active = await feed.first()
    assert not isinstance(active, Refused), active
    process = GatewayProcess(settings, feed, active, clock, tls=tls, lookup=lookup, launch=launch)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


def chat_body(**members: Any) -> bytes:
    body = {"model": "llama-3-8b", "messages": [{"role": "user", "content": "Say three words."}]}
    return json.dumps(body | members).encode()


def chat_request(
    body: bytes, key: str | None = "acme", fields: str = "", path: str = "/v1/chat/completions"
) -> bytes:
    authorization = f"authorization: Bearer {policy.secret(key)}\r\n" if key else ""
    head = f"POST {path} HTTP/1.1\r\nhost: gw\r\n{authorization}{fields}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def post(
    process: GatewayProcess, *, key: str | None = "acme", fields: str = "", **members: Any
) -> Answer:
    """One chat request on a connection of its own, answered."""
    client = await RawClient.to(process.data.port)
    await client.send(chat_request(chat_body(**members), key, fields))
    found = await client.answer()
    client.close()
    return found


async def put(process: GatewayProcess, path: str, **members: Any) -> Answer:
    """One request to any endpoint, answered."""
    client = await RawClient.to(process.data.port)
    body = json.dumps({"model": "llama-3-8b"} | members).encode()
    await client.send(chat_request(body, path=path))
    found = await client.answer()
    client.close()
    return found


async def admin(process: GatewayProcess, path: str) -> Any:
    client = await RawClient.to(process.admin.port)
    await client.send(f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
    found = await client.answer()
    client.close()
    return (
        json.loads(found.body) if found.headers["content-type"] == "application/json" else found.body.decode()
    )


async def explanation(process: GatewayProcess, answered: Answer) -> Any:
    return await admin(process, "/decisions/" + answered.headers["x-request-id"])


def error_code(answered: Answer) -> str:
    return str(json.loads(answered.body)["error"]["code"])
