"""How do messages get from one process to another, in order, and before what must come after them?

A stream socket of the Unix kind, written to directly: what ``flush`` handed to the kernel reaches the other
side even if this one is killed the next instant. What is sent in one turn of the loop goes in one write.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from gateway.log import innermost, log
from gateway.workers.messages import LENGTH, Frames, Garbled, Message, encode

READ_BYTES = 256 * 1024
BUFFER_BYTES = 4 * 1024 * 1024
"""Asked of the kernel for what is on its way; it may give less."""

M = TypeVar("M")


class Link(Generic[M]):
    """One end. ``received`` gets every message; ``lost`` is called once, when the other end is gone."""

    def __init__(
        self,
        sock: socket.socket,
        decoder: msgspec.msgpack.Decoder[M],
        received: Callable[[M], None],
        lost: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._sock = sock
        self._decode = decoder.decode
        self._received = received
        self._lost = lost
        self._frames = Frames()
        self._out = bytearray()
        self._loop = asyncio.get_running_loop()
        self._flushing = False
        self._blocked = False
        self.closed = False
        self._loop.add_reader(sock, self._read)

    def send(self, message: Message) -> None:
        """It goes at the end of this turn of the loop, or at the next ``flush``."""
        if self.closed:
            return
        body = encode(message)
        self._out += LENGTH.pack(len(body))
        self._out += body
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Hand everything to the kernel, as far as it takes it."""
        self._flushing = False
        if self.closed or self._blocked or not self._out:
            return
        try:
            sent = self._sock.send(self._out)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            return  # reading finds the end, after what the other side said before it
        if sent == len(self._out):
            self._out.clear()
        else:
            del self._out[:sent]
            self._blocked = True
            self._loop.add_writer(self._sock, self._unblocked)

    def close(self) -> None:
        """Say nothing more and hear nothing more; ``lost`` is not called."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()

    # -- inside --------------------------------------------------------------------------------

    def _unblocked(self) -> None:
        self._loop.remove_writer(self._sock)
        self._blocked = False
        self.flush()

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        try:
            for frame in self._frames.feed(data):
                self._hear(self._decode(frame))
                if self.closed:
                    return
        except (Garbled, msgspec.DecodeError):
            self._end()
            return
        self.flush()

    def _hear(self, message: M) -> None:
        try:
            self._received(message)
        except Exception as error:  # noqa: BLE001 - a fault over one message is not the end of the others
            what, where = type(error).__name__, innermost(error)
            log("internal_error", message=type(message).__name__, error=what, at_line=where)

    def _end(self) -> None:
        if not self.closed:
            self.close()
            self._lost()
