"""Where does the processor time of one request go? The whole data path in one process, without sockets.

    python -m benchmarks stages [--requests N] [--prompt TOKENS] [--stream CHUNKS] [--no-record]

Client and replica are transports in memory, so that the figure is the gateway's own work and nothing of the
kernel's. First the time of a request, from slices; then the share of each stage, by clocks around its entry
points, their own cost taken off. Every attempt is put on record, as a gateway that follows a console does.
``--count N`` only runs N requests: the difference of two such runs under
``valgrind --tool=cachegrind --cache-sim=no`` counts instructions, which no load on the machine can change.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, cast

import uvloop

from benchmarks import policy
from benchmarks.gateway import LONG_TOKENS, PROMPTS, SHORT_TOKENS, bodies
from benchmarks.load import request_bytes
from benchmarks.machine import banner
from benchmarks.upstream import ANSWER, MODEL
from coordination import scheduling
from gateway import data_plane, exchange, prompt
from gateway.accounts import Accounts, JournalAccounts, NoAccounts
from gateway.activation import Active, StateFolder
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.data_plane import DataPlane
from gateway.downstream.connection import ClientConnection
from gateway.downstream.listener import Listener
from gateway.endpoints import table as endpoints
from gateway.exchange import Exchange
from gateway.explanations import Explanations
from gateway.metrics import Metrics
from gateway.sse import EventStream
from gateway.upstream import connection as upstream
from gateway.upstream.connection import ReplicaConnection
from gateway.upstream.pool import Replicas
from gateway.wal import Journal

SLICE = 500
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_EVENT = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"%b",%b}\n\n'
TOKEN = _EVENT % (MODEL.encode(), b'"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]')
LAST = (
    _EVENT % (MODEL.encode(), b'"choices":[],"usage":{"prompt_tokens":40,"completion_tokens":9}')
) + b"data: [DONE]\n\n"


class Wire:
    """A transport in memory: it keeps the last thing written."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent = data

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.sent = parts[-1]

    def is_closing(self) -> bool:
        return False

    def is_reading(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def get_extra_info(self, name: str) -> None: ...


@dataclass(slots=True)
class Bench:
    """A gateway without sockets, and what its client and its replicas say."""

    listener: Listener
    client: ClientConnection
    requests: list[bytes]
    pieces: list[bytes]
    """What a replica answers, read by read."""
    replicas: list[ReplicaConnection]
    journal: Journal | None

    def tend(self) -> None:
        """Sync and make room for records, which in a gateway is another thread's work."""
        if self.journal is not None:
            self.journal.tend()

    def run(self, count: int) -> None:
        buffer, client, requests, wire = (
            self.listener.buffer,
            self.client,
            self.requests,
            cast("Wire", self.client.transport),
        )
        heard, replicas, pieces = upstream._bytes, self.replicas, self.pieces
        for number in range(count):
            request = requests[number % len(requests)]
            size = len(request)
            if size <= len(buffer):
                buffer[:size] = request
                client.buffer_updated(size)
            asked = next(one for one in replicas if one._caller is not None)
            for piece in pieces:
                heard[: len(piece)] = piece
                asked.buffer_updated(len(piece))
        if b"200 OK" not in wire.sent and not wire.sent.endswith(b"0\r\n\r\n"):
            raise SystemExit(f"the gateway answered {wire.sent[:400]!r}")


@contextmanager
def bench(prompt_tokens: int, chunks: int, *, record: bool) -> Iterator[Bench]:
    """Everything wired together as ``gateway.process`` does it, on the running loop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        urls = [f"http://127.0.0.1:{9000 + number}" for number in range(8)]
        records = policy.with_far_limits(policy.over_replicas(policy.quickstart(), urls))
        keys = policy.write_state(records, folder / "state")
        clock = PolicyClock()
        active = StateFolder(folder / "state").load(clock.now())
        if not isinstance(active, Active):
            raise SystemExit(active.message)
        accounts: Accounts = NoAccounts()
        journal = Journal(folder / "usage") if record else None
        if journal is not None:
            accounts = JournalAccounts(journal, clock, "serve")
        coordinator = Coordinator(active, clock, seed=1, salt=2)
        replicas = Replicas()
        plane = DataPlane(coordinator, replicas, clock, accounts)
        plane.explanations = Explanations(recent=100)  # full soon, as a gateway's are after its first seconds
        listener = Listener(plane)
        client = ClientConnection(listener)
        client.connection_made(cast("asyncio.Transport", Wire()))
        kept: list[ReplicaConnection] = []
        for url in urls:
            pool = replicas.pool(url)
            kept.append(ReplicaConnection(pool))
            kept[-1].connection_made(cast("asyncio.Transport", Wire()))
            pool.release(kept[-1])
        said = [
            request_bytes("127.0.0.1", 8080, key, _streamed(body) if chunks else body)
            for key, body in zip(list(keys.values()) * PROMPTS, bodies(prompt_tokens), strict=False)
        ]
        pieces = [WHOLE]
        if chunks:
            pieces = [STREAM_HEAD, *[_chunk(TOKEN)] * chunks, _chunk(LAST) + b"0\r\n\r\n"]
        yield Bench(listener, client, said, pieces, kept, journal)
        if journal is not None:
            journal.close()


def _streamed(body: bytes) -> bytes:
    return b'{"stream":true,' + body[1:]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


# -- which stage takes what --------------------------------------------------------------------

ENTRIES: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("read the request's head and body", ClientConnection, ("buffer_updated",)),
    ("identify the sender", DataPlane, ("vet",)),
    ("begin and answer (all between)", DataPlane, ("serve",)),
    ("read the JSON, check members", prompt, ("read_object", "read_members")),
    ("text, token estimate, block hashes", prompt, ("normalised_text", "prompt_of")),
    ("text, token estimate, block hashes", Coordinator, ("blocks",)),
    ("write the JSON for the engine", data_plane, ("upstream_body",)),
    ("classify", scheduling, ("classify",)),
    ("admit", scheduling, ("admit",)),
    ("dispatch: fair queueing, placement", scheduling, ("dispatch",)),
    ("forward: exchange, upstream head", Exchange, ("placed", "_send")),
    ("put the begin on record", JournalAccounts, ("begin",)),
    ("put the first byte on record", JournalAccounts, ("passed",)),
    ("write to the replica", ReplicaConnection, ("send",)),
    ("read the replica's answer", ReplicaConnection, ("buffer_updated",)),
    ("edit events", EventStream, ("feed",)),
    ("pass on: exchange", Exchange, ("upstream_head", "upstream_body", "upstream_whole", "upstream_end")),
    ("read usage, set the tier", endpoints, ("read_usage",)),
    ("read usage, set the tier", exchange, ("set_member",)),
    ("settle", scheduling, ("settle", "first_byte")),
    ("put the end on record", JournalAccounts, ("settled",)),
    ("headers of the answer", DataPlane, ("answer_fields",)),
    ("count: metrics, meter", Metrics, ("finished",)),
    ("write to the client", ClientConnection, ("respond", "begin", "send", "finish")),
)


class Clocks:
    """Own time of each stage: a call's time less that of the calls timed within it."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self._within = [0]
        self._undo: list[Callable[[], None]] = []

    def around(self, stage: str, owner: Any, name: str) -> None:
        original = getattr(owner, name)
        self.spent.setdefault(stage, 0)
        self.calls.setdefault(stage, 0)
        spent, calls, within, clock = self.spent, self.calls, self._within, time.perf_counter_ns

        @wraps(original)
        def timed(*given: Any, **named: Any) -> Any:
            before, within[0] = within[0], 0
            begun = clock()
            try:
                return original(*given, **named)
            finally:
                took = clock() - begun
                spent[stage] += took - within[0]
                calls[stage] += 1
                within[0] = before + took

        setattr(owner, name, timed)
        self._undo.append(lambda: setattr(owner, name, original))

    def end(self) -> None:
        for undo in reversed(self._undo):
            undo()


def cost_of_a_clock() -> tuple[float, float]:
    """Nanoseconds a timed call costs: within its own reading, and its caller besides."""

    class Empty:
        def call(self, _: int) -> None: ...

    rounds, best_inside, best_outside = 20_000, 1e9, 1e9
    for _ in range(5):
        clocks, empty = Clocks(), Empty()
        began = time.perf_counter_ns()
        for number in range(rounds):
            empty.call(number)
        bare = time.perf_counter_ns() - began
        clocks.around("it", Empty, "call")
        began = time.perf_counter_ns()
        for number in range(rounds):
            empty.call(number)
        timed = time.perf_counter_ns() - began
        clocks.end()
        inside = clocks.spent["it"]
        best_inside = min(best_inside, (inside - bare / 2) / rounds)
        best_outside = min(best_outside, (timed - inside - bare / 2) / rounds)
    return best_inside, best_outside


def table(given: Bench, requests: int, repeats: int) -> list[tuple[str, float, float]]:
    """(stage, microseconds a request, calls a request). The clocks' own cost is taken off."""
    inside, outside = cost_of_a_clock()
    rounds: list[dict[str, float]] = []
    calls: dict[str, int] = {}
    for _ in range(repeats):
        given.tend()
        clocks = Clocks()
        for stage, owner, names in ENTRIES:
            for name in names:
                clocks.around(stage, owner, name)
        given.run(requests)
        clocks.end()
        calls = clocks.calls
        rounds.append({stage: spent - calls[stage] * inside for stage, spent in clocks.spent.items()})
    # Whose children's clocks are read is known only in sum: most of them are called by ``serve`` and the
    # exchange, where an error of a fraction of a microsecond stays.
    # The clocks go on while another process has the core: rounds are short, and the quicker ones count.
    shares = {
        stage: sorted(one[stage] for one in rounds)[len(rounds) // 4] / requests / 1e3 for stage in calls
    }
    children = sum(calls.values()) - calls["read the request's head and body"]
    shares["begin and answer (all between)"] -= children * outside / requests / 1e3 / 2
    return [(stage, shares[stage], calls[stage] / requests) for stage in calls if calls[stage]]


def measure(given: Bench, requests: int) -> tuple[float, float]:
    """(median, least) microseconds of processor time a request, over slices."""
    each: list[float] = []
    for _ in range(max(3, requests // SLICE)):
        given.tend()
        began = time.process_time_ns()
        given.run(SLICE)
        each.append((time.process_time_ns() - began) / SLICE / 1e3)
    return statistics.median(each), min(each)


async def run(chosen: argparse.Namespace) -> None:
    with bench(chosen.prompt, chosen.stream, record=not chosen.no_record) as given:
        given.run(200)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        if chosen.count is not None:
            given.run(chosen.count)
            return
        middle, least = measure(given, chosen.requests)
        print(f"a request {middle:.1f} us of processor time, {least:.1f} us in the quickest slice")
        for stage, micros, calls in table(given, requests=20, repeats=201):
            print(f"  {stage:<38}{micros:>7.1f} us {calls:>6.1f} calls")


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks stages")
    options.add_argument("--requests", type=int, default=10_000)
    options.add_argument("--prompt", type=int, default=SHORT_TOKENS, help=f"tokens; long is {LONG_TOKENS}")
    options.add_argument("--stream", type=int, default=0, help="chunks of a streamed answer; 0: not streamed")
    options.add_argument("--no-record", action="store_true", help="without the write-ahead log")
    options.add_argument("--count", type=int, help="only run so many requests, for an instruction counter")
    chosen = options.parse_args()
    if chosen.count is None:
        print(banner())
    uvloop.run(run(chosen))


if __name__ == "__main__":
    main()
