"""What do a parent and its workers say to each other? Small messages, many in one write, in order.

A frame is four bytes of length and a msgpack array that begins with the message's number. A request is
known by its id on both sides. A worker speaks for it: ``Ask`` once, then what becomes of each attempt, then
``Over`` once; the parent answers each ``Ask`` and each ``Failed`` with ``Placed`` or ``Turned``, once, unless
the request is over by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct as Layout

import msgspec

from coordination.scheduling import Ended as CopyEnded
from coordination.scheduling import Lost
from coordination.scheduling.traits import Task, Traits
from coordination.scheduling.values import Headroom, Lane, LimitView, Request
from coordination.wire.telemetry import Series
from coordination.wire.usage import CountedBy
from gateway.accounts import Ended
from gateway.rules import FailReason, Outcome

LENGTH = Layout("<I")
LARGEST = 64 * 1024 * 1024
"""Bytes of one frame; more means that the two do not understand each other."""
LARGEST_NUMBER = 2**63 - 1
"""What a message can say; of tokens it is as good as no bound."""


class Message(msgspec.Struct, array_like=True, gc=False):
    """Any of them."""


# -- what a worker says -------------------------------------------------------------------------


class Asker(Message):
    """Who sent a request, and how it is known to them."""

    client_request_id: str | None
    tenant: str | None
    key_id: str | None
    model: str | None
    """As the client called it."""
    tier_requested: str | None
    operation: str
    stream: bool
    bundle: str


class Wanted(Message):
    """A ``Request``, as it is said."""

    request_id: str
    tenant: str
    model: str
    tier: str
    scale: bool
    prompt_tokens: int
    max_tokens: int | None
    blocks: list[int]
    arrived: int
    stickiness: str
    deadline: int | None
    size: int
    task: Task | None
    adapter: str
    longest_prompt: int
    traits: Traits
    streamed: bool

    @classmethod
    def of(cls, request: Request) -> Wanted:
        return cls(
            request.request_id,
            request.tenant,
            request.model,
            request.tier,
            request.scale,
            request.prompt_tokens,
            None if request.max_tokens is None else min(request.max_tokens, LARGEST_NUMBER),
            list(request.blocks),
            request.arrived,
            request.stickiness,
            request.deadline,
            request.size,
            request.task,
            request.adapter,
            request.longest_prompt,
            request.traits,
            request.streamed,
        )

    def request(self) -> Request:
        return Request(
            self.request_id,
            self.tenant,
            self.model,
            self.tier,
            self.scale,
            self.prompt_tokens,
            self.max_tokens,
            self.blocks,
            self.arrived,
            self.stickiness,
            self.deadline,
            self.size,
            None,
            self.task,
            self.adapter,
            self.longest_prompt,
            self.traits,
            self.streamed,
        )


class Ask(Message, tag=1):
    """May this request go, and where?"""

    asker: Asker
    wanted: Wanted


class FirstByte(Message, tag=2):
    """The attempt's prefill is done."""

    request_id: str
    attempt: int


class Progress(Message, tag=3):
    request_id: str
    output_tokens: int


class Failed(Message, tag=4):
    """The attempt failed before its first byte: is there another replica?"""

    request_id: str
    reason: FailReason


class Watched(Message, tag=11):
    """The attempt's first byte is watched for: its route tries slow ones twice."""

    request_id: str


class Hedge(Message, tag=12):
    """The attempt is slow: may there be a second one? The answer is ``Hedged``, or nothing."""

    request_id: str
    attempt: int


class Lose(Message, tag=13):
    """Of two attempts this one is over."""

    request_id: str
    attempt: int
    reason: Lost


class CopyBegan(Message, tag=14):
    """The first byte of a copy's answer came after so many microseconds."""

    number: int
    took: int


class CopyOver(Message, tag=15):
    number: int
    ended: CopyEnded


class Spent(Message):
    """How an attempt ended, and what it used (``Usage``)."""

    attempt: int
    outcome: Outcome
    ended: Ended
    counted_by: CountedBy
    uncached_input: int
    cached_input: int
    output: int
    cache_write: int
    reasoning: int


class Over(Message, tag=5):
    """The request is answered, or its client has left. The worker forgets it."""

    request_id: str
    outcome: str
    status: int
    code: str | None
    """Of the error it was answered with."""
    message: str
    sent: int
    first_byte: int
    finished: int
    spent: Spent | None
    """``None``: no attempt was under way."""
    gaps: tuple[int, dict[int, int]] | None = None
    """Times between tokens: how many, and how many within each bound that is counted."""


class Note(Message, tag=6):
    """A request that never came before the rules: it was answered, or refused, for what it is."""

    request_id: str
    asker: Asker
    arrived: int
    outcome: str
    status: int
    code: str | None
    message: str
    finished: int


class Report(Message, tag=7):
    """How the worker is: the answer to ``Ping``."""

    connections: int
    usage_disbelieved: int
    """Since its start."""
    cpu_us: int
    rss_bytes: int
    streams: tuple[Series, ...]
    """What passed in streams since the last report."""


class Ready(Message, tag=8):
    """It listens, under policy number ``policy``."""

    policy: int


class Prepared(Message, tag=9):
    """Policy number ``policy`` is loaded and can be switched to."""

    policy: int


class Switched(Message, tag=10):
    """Whatever it asks after this was classified under policy number ``policy``."""

    policy: int


# -- what the parent says -----------------------------------------------------------------------


class Sent(Message):
    """A copy to send: of this route, to this replica of this pool."""

    number: int
    route: str
    pool: str
    replica: str


class Left(Message):
    """A ``LimitView``, as it is said."""

    limit: int
    remaining: int
    reset_us: int
    window_us: int


Room = tuple[Left | None, Left | None]
"""A ``Headroom``, as it is said: of requests and of tokens."""


def told(room: Headroom) -> Room:
    return _left(room.requests), _left(room.tokens)


def heard(room: Room) -> Headroom:
    requests, tokens = room
    return Headroom(_view(requests), _view(tokens))


def _left(view: LimitView | None) -> Left | None:
    return None if view is None else Left(view.limit, view.remaining, view.reset_us, view.window_us)


def _view(left: Left | None) -> LimitView | None:
    return None if left is None else LimitView(left.limit, left.remaining, left.reset_us, left.window_us)


class Placed(Message, tag=20):
    """Send it there. The attempt is on record."""

    request_id: str
    pool: str
    replica: str
    attempt: int
    queue_us: int
    sent_at: int
    route: str | None
    tier: str
    reservation: Lane
    held: tuple[int, int, int]
    recorded: bool
    """``False``: it could not be put on record, and must not be sent."""
    room: Room
    run_left: tuple[int | None, int | None]
    copies: list[Sent]


class Hedged(Message, tag=26):
    """A second attempt may be made, if it is still wanted. If not: ``Lose``, unsent."""

    placed: Placed


class Turned(Message, tag=21):
    """Turned down; ``code`` as in the error the client is sent."""

    request_id: str
    code: str
    message: str
    retry_after_us: int | None
    tier: str
    reservation: Lane
    room: Room | None
    """``None``: the rules were not asked."""
    run_left: tuple[int | None, int | None]


class Ping(Message, tag=22):
    """Are you there?"""


class Switch(Message, tag=23):
    """Serve by policy number ``policy`` from now on, which you have prepared."""

    policy: int


class Drain(Message, tag=24):
    """Accept nothing more; end what is left after so many seconds, then yourself."""

    seconds: float


class Blocked(Message, tag=25):
    """Whom to refuse from now on, and why: tenants with all below them, and keys."""

    tenants: dict[str, str]
    keys: dict[str, str]


Steering = Watched | Hedge | Lose | CopyBegan | CopyOver
FromWorker = (
    Ask | FirstByte | Progress | Failed | Over | Note | Report | Ready | Prepared | Switched | Steering
)
FromParent = Placed | Hedged | Turned | Ping | Switch | Drain | Blocked

encode = msgspec.msgpack.Encoder().encode
from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)
from_parent: msgspec.msgpack.Decoder[FromParent] = msgspec.msgpack.Decoder(FromParent)


class Garbled(Exception):
    """The other side speaks something else."""


class Frames:
    """Cuts what was read into frames; what is left waits for the rest."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """The whole frames so far. Raises ``Garbled``."""
        if self._kept:
            data = self._kept + data
        view, at, end = memoryview(data), 0, len(data)
        while end - at >= LENGTH.size:
            (size,) = LENGTH.unpack_from(data, at)
            if size > LARGEST:
                raise Garbled(f"a frame of {size} bytes")
            if end - at - LENGTH.size < size:
                break
            at += LENGTH.size + size
            yield view[at - size : at]
        self._kept = data[at:] if at < end else b""
