"""Which engine stands behind every proxy measured? One that costs next to nothing: it answers at once.

``python -m benchmarks.upstream --listeners 8 --ready-file F`` speaks just enough HTTP/1.1: bodies with a
content-length, pipelining, kept-alive connections. Every completion gets the same answer of 200-odd bytes;
with ``--events N`` a stream of N events, one every ``--event-ms``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

MODEL = "llama-3-8b"

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 40, "completion_tokens": 1, "total_tokens": 41},
    },
    separators=(",", ":"),
).encode()

_MODELS = json.dumps(
    {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "benchmark"}]}
).encode()
# What routers ask a worker for before they send it anything.
_PAGES = {
    b"/v1/models": _MODELS,
    b"/health": b"{}",
    b"/get_model_info": json.dumps({"model_path": MODEL, "is_generation": True}).encode(),
    b"/model_info": json.dumps({"model_path": MODEL, "is_generation": True}).encode(),
    b"/get_server_info": json.dumps({"model_path": MODEL, "served_model_name": MODEL}).encode(),
    b"/server_info": json.dumps({"model_path": MODEL, "served_model_name": MODEL}).encode(),
}


def _http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )


_COMPLETION = _http(ANSWER)
_KNOWN = {path: _http(body) for path, body in _PAGES.items()}
_UNKNOWN = _http(b'{"error":{"message":"no such page"}}', b"404 Not Found")


_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    b'data: {"id":"c","object":"chat.completion.chunk",'
    b'"choices":[{"index":0,"delta":{"content":"yes "}}]}\n\n',
    b"data: [DONE]\n\n",
)
"""Head, event, last event."""


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class _Connection(asyncio.Protocol):
    __slots__ = ("_answer", "_event_s", "_events", "_held", "_left", "_loop", "_transport")

    def __init__(self, events: int, event_s: float) -> None:
        self._events = events
        self._event_s = event_s
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._left = 0
        """Bytes of the current body still to come."""
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
            self._held = b""
        at = 0
        while at < len(data):
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
                if self._left:
                    return
                self._reply()
                continue
            end = data.find(b"\r\n\r\n", at)
            if end < 0:
                self._held = data[at:]
                return
            self._begin(data[at:end])
            at = end + 4

    def _begin(self, head: bytes) -> None:
        if head.startswith(b"POST"):
            self._answer = _COMPLETION
            lower = head.lower()
            found = lower.find(b"\r\ncontent-length:")
            if found >= 0:
                self._left = int(lower[found + 17 :].split(b"\r\n", 1)[0])
        else:
            self._answer = _KNOWN.get(head.split(b" ", 2)[1].partition(b"?")[0], _UNKNOWN)
        if not self._left:
            self._reply()

    def _reply(self) -> None:
        if self._events and self._answer is _COMPLETION:
            self._transport.write(_STREAM[0])
            self._go_on(self._events)
        else:
            self._transport.write(self._answer)

    def _go_on(self, left: int) -> None:
        if left:
            self._transport.write(_chunk(_STREAM[1]))
            self._loop.call_later(self._event_s, self._go_on, left - 1)
        else:
            self._transport.write(_chunk(_STREAM[2]) + b"0\r\n\r\n")


async def _serve(listeners: int, events: int, event_s: float, ready_file: Path) -> None:
    loop = asyncio.get_running_loop()
    made = partial(_Connection, events, event_s)
    servers = [await loop.create_server(made, "127.0.0.1", 0) for _ in range(listeners)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    told = json.dumps({"urls": [f"http://127.0.0.1:{port}" for port in ports]})
    await asyncio.to_thread(ready_file.write_text, told)
    await asyncio.Event().wait()


def main() -> None:
    """Serves until killed."""
    options = argparse.ArgumentParser()
    options.add_argument("--listeners", type=int, default=8)
    options.add_argument("--events", type=int, default=0)
    options.add_argument("--event-ms", type=float, default=1.0)
    options.add_argument("--ready-file", type=Path, required=True)
    chosen = options.parse_args()
    uvloop.run(_serve(chosen.listeners, chosen.events, chosen.event_ms / 1e3, chosen.ready_file))


if __name__ == "__main__":
    main()
