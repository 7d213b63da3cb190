"""Which bytes of an engine's event stream are changed on the way to the client?

Two edits, nothing else; every other byte is forwarded as it came:

1. An event that is one ``data:`` line holding a JSON object with a ``choices`` member gets its
   top-level ``service_tier`` set to the tier served: the value is replaced where it stands, else the
   member is added before the closing brace. No blank, key order or number is touched.
2. If the usage was asked for by us and not by the client, the event whose object has an empty
   ``choices`` and a ``usage`` object is left out, its terminating blank line included.

Events with other fields, comments, several data lines, or ``[DONE]`` pass as they are. An event is
held only until it is complete, and at most ``EventStream.limit`` bytes of it: a longer one passes
unedited from then on to its end, so that the memory a stream holds has a bound.
"""

from __future__ import annotations

import re
from typing import ClassVar

import orjson

from coordination.scheduling.values import Usage
from gateway.errors import Problem
from gateway.json_member import set_member, value_span
from gateway.usage import read_usage

_EVENT_END = re.compile(rb"\n\r?\n")
_NAME = b'"service_tier"'
_QUOTE = 0x22


class EventStream:
    """The editor of one answer. Feed it what arrives, forward what it returns."""

    limit: ClassVar[int] = 16 * 1024
    """Bytes of an event that are held."""
    begins: ClassVar[bytes] = b'"content":"'
    """Of most events with text. An event without text may have it too, with nothing behind it."""
    text: ClassVar[re.Pattern[bytes]] = re.compile(
        rb'"(?:content|reasoning_content|reasoning|arguments|refusal)"\s{0,4}:\s{0,4}"[^"]'
    )
    """In every event with text: engines write blanks, or not, and null, or "", or nothing, for no text."""

    __slots__ = ("_known", "_passing", "_rest", "_strip_usage", "_tier", "done", "tokens", "usage")

    def __init__(self, tier: str, *, strip_usage: bool) -> None:
        """``tier``: what clients are told was served. ``strip_usage``: we asked, they did not."""
        self._tier = orjson.dumps(tier)
        self._strip_usage = strip_usage
        self._rest = b""
        self._passing = False
        self._known = (b"", b"")
        self.usage: Usage | None = None
        """What the engine last reported."""
        self.tokens = 0
        """Events that carried text: a lower bound of the output tokens, for streams cut short."""
        self.done = False
        """``[DONE]`` has passed."""

    @property
    def held(self) -> int:
        """Bytes of an unfinished event."""
        return len(self._rest)

    def feed(self, data: bytes) -> bytes:
        """The next bytes from the engine; returns what to forward now, possibly nothing."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if self._passing:
            return self._pass_on(data)
        out: list[bytes] = []
        start = 0
        for end in _EVENT_END.finditer(data):
            out.append(self._edit(data[start : end.end()]))
            start = end.end()
        if start < len(data):
            self._rest = data[start:]
            if len(self._rest) > self.limit:
                rest, self._rest = self._rest, b""
                self._passing = True
                out.append(self._pass_on(rest))
        return out[0] if len(out) == 1 else b"".join(out)

    def close(self) -> bytes:
        """The engine's stream is over: an unfinished event goes out as it is."""
        rest, self._rest = self._rest, b""
        return rest

    def failure(self, problem: Problem) -> bytes:
        """What tells the client, in its stream, that nothing more will come."""
        return b"%bdata: %b\n\n" % (self._ends_event(), problem.body())

    def _ends_event(self) -> bytes:
        return b"\n\n" if self._passing else b""

    def _pass_on(self, data: bytes) -> bytes:
        """Inside an event too long to hold: forward up to its end, then edit again."""
        end = _EVENT_END.search(data)
        if end is None:
            self._rest = data[-2:]  # a terminator may be split over reads
            return data[:-2]
        self._passing = False
        return data[: end.end()] + self.feed(data[end.end() :])

    def _edit(self, event: bytes) -> bytes:
        close = event.rfind(b"}")
        if close < 0 or not event.startswith(b"data:"):
            if event.startswith(b"data:") and event[5:].strip() == b"[DONE]":
                self.done = True
            return event
        # `find` and not `in`, which first asks whether a name is a number: that takes ten times as long.
        if event.find(b"\n", 0, close) >= 0 or event[close + 1 :].strip() or event.find(b'"choices"') < 0:
            return event
        bare = False
        if event.find(b'"usage"') >= 0:
            usage, bare = read_usage(event[5:])
            if usage is not None:
                self.usage = usage
                if self._strip_usage and bare:
                    return b""
        if not bare:
            at = event.find(self.begins)  # quicker than the pattern, which is for all others
            if (at >= 0 and event[at + len(self.begins)] != _QUOTE) or self.text.search(event):
                self.tokens += 1
        if event.find(_NAME) < 0:
            return set_member(event, close, _NAME, self._tier)
        return self._replace(event, close)

    def _replace(self, event: bytes, close: int) -> bytes:
        """The engine names a tier itself. All events of a stream begin alike, so it is looked for once:
        where the bytes up to it are the same, it stands at the same place."""
        known, edited = self._known
        if known and event.startswith(known):
            return edited + event[len(known) :]
        span = value_span(event, _NAME)
        if span is None:
            return set_member(event, close, _NAME, self._tier)
        start, end = span
        after = event[end : end + 1]  # what ends the value belongs to it: 1 is not the begin of 12
        self._known = (event[: end + 1], event[:start] + self._tier + after)
        return self._known[1] + event[end + 1 :]
