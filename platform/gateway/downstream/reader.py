"""How are bytes from a client turned into requests, strictly and within bounds?

The base of a client connection: parser callbacks and limits. What to do with a head, a request or a
refusal is left to ``ClientConnection``.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

import httptools

from gateway.downstream.heads import RequestHead
from gateway.downstream.request import HttpRequest
from gateway.downstream.strictness import SINGLE, ambiguity
from gateway.errors import Problem

if TYPE_CHECKING:
    from gateway.downstream.listener import Listener

HEADS_TRIED = 8
"""A client whose heads differ as often in a row has its heads parsed, and none kept."""


class RequestReader(asyncio.BufferedProtocol):
    """Reads one request after another from one socket, until ``_input_closed``."""

    __slots__ = (
        "_body",
        "_body_size",
        "_fields",
        "_input_closed",
        "_listener",
        "_misses",
        "_parser",
        "_raw",
        "_repeated",
        "_request",
        "_target",
        "deadline",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parser: Any = httptools.HttpRequestParser(self)
        self._request: HttpRequest | None = None
        """The one being read."""
        self._body: list[bytes] = []
        self._body_size = 0
        self._raw = 0
        """Bytes received since a head or a message last ended."""
        self._fields = 0
        """Header fields seen; -1 once the head is complete, so that trailers are told apart."""
        self._repeated: bytes | None = None
        self._misses = 0
        """Requests in a row whose heads were not known."""
        self._target: tuple[HttpRequest, bytes] | None = None
        """The request whose head was last accepted, and its path before anybody touched it."""
        self._input_closed = False
        """Whatever else arrives is dropped."""
        self.deadline = inf
        """Loop time after which the connection's ``expire`` is called."""

    # -- what a connection does with what is read ----------------------------------------------

    def _head_read(self, request: HttpRequest) -> None:
        raise NotImplementedError

    def _request_read(self, request: HttpRequest) -> None:
        raise NotImplementedError

    def _refused(self, request: HttpRequest) -> None:
        """``request.problem`` says why; nothing more is read."""
        raise NotImplementedError

    # -- transport callbacks -------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's signature
        return self._listener.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._input_closed:
            return
        between = self._request is None and not self._raw
        if between and (head := self._listener.heads.find(self._listener.buffer)) is not None:
            if self._is_known(head, nbytes):
                return
        elif between:
            self._misses += 1
        self._raw += nbytes
        try:
            self._parser.feed_data(self._listener.read_buffer[:nbytes])
        except httptools.HttpParserUpgrade:
            pass  # refused when its head was read
        except httptools.HttpParserInvalidMethodError:
            self._refuse(Problem("bad_http", "The request method is not one of HTTP's."))
        except httptools.HttpParserError as error:
            self._refuse(Problem("bad_http", f"The request is not well-formed HTTP/1.1: {error}."))
        if self._fields >= 0 and self._raw > self._listener.limits.head:
            self._refuse(Problem("headers_too_large", "The request head is too large."))
        if between:
            self._learn(nbytes)

    # -- parser callbacks ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._input_closed:
            return
        self._request = HttpRequest()
        self._body = []
        self._body_size = 0
        self._fields = 0
        self._repeated = None
        self.deadline = self._listener.now + self._listener.limits.head_seconds

    def on_url(self, url: bytes) -> None:
        if self._request is not None:
            self._request.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self._request
        if request is None or self._fields < 0:  # a trailer: read past, never believed
            return
        self._fields += 1
        name = name.lower()
        headers = request.headers
        if name in headers and name in SINGLE:
            self._repeated = name
        headers[name] = value

    def on_headers_complete(self) -> None:
        request = self._request
        if request is None or self._input_closed:
            return
        limits = self._listener.limits
        fields, self._fields, self._raw = self._fields, -1, 0
        version = self._parser.get_http_version()
        request.method = self._parser.get_method().decode("ascii")
        request.http_1_0 = version == "1.0"
        request.keep_alive = self._parser.should_keep_alive() and not request.http_1_0
        self.deadline = self._listener.now + limits.body_seconds
        problem = ambiguity(request.headers, self._repeated, version)
        if problem is None and fields > limits.fields:
            problem = Problem("headers_too_large", "The request has too many headers.")
        if problem is None and int(request.headers.get(b"content-length", 0)) > limits.body:
            problem = self._too_large()
        if problem is None and self._parser.should_upgrade():
            problem = Problem("bad_http", "No protocol upgrade is offered.")
        if problem is not None:
            self._refuse(problem)
            return
        if not request.path.startswith(b"/"):
            path = _path_of(request.path, request.headers.get(b"host"))
            if path is None:
                self._refuse(Problem("bad_http", "The target's authority is not the one of the Host header."))
                return
            request.path = path
        self._target = (request, request.path)
        self._head_read(request)

    def on_body(self, body: bytes) -> None:
        request = self._request
        if request is None or self._input_closed:
            return
        self._body_size += len(body)
        if self._body_size > self._listener.limits.body:
            self._refuse(self._too_large())
        elif request.problem is None:
            self._body.append(body)

    def on_message_complete(self) -> None:
        request = self._request
        if request is None or self._input_closed:
            return
        body, self._body = self._body, []
        request.body = body[0] if len(body) == 1 else b"".join(body)
        self._raw = 0
        self._fields = 0
        self._request = None
        self.deadline = inf
        if not request.keep_alive:
            self._input_closed = True
        self._request_read(request)

    # -- inside --------------------------------------------------------------------------------

    def _is_known(self, head: RequestHead, nbytes: int) -> bool:
        """Whether what was read is one whole request under ``head``; it is then dealt with."""
        body = head.body_of(self._listener.buffer, nbytes)
        if body is None or len(body) > self._listener.limits.body:
            return False
        self._misses = 0
        request = head.request()
        self._head_read(request)
        if request.problem is None:
            request.body = bytes(body)
        self.deadline = inf
        self._request_read(request)
        return True

    def _learn(self, nbytes: int) -> None:
        """A read has been parsed: keep the head in it for the next, unless this client's always differ."""
        if self._target is None or self._misses > HEADS_TRIED:
            return
        request, path = self._target
        self._target = None
        if self._request is None and not self._input_closed and request.problem is None:
            head = RequestHead.of(self._listener.buffer, nbytes, request, path)
            if head is not None:
                self._listener.heads.keep(head)

    def _refuse(self, problem: Problem) -> None:
        if self._input_closed:
            return
        self._input_closed = True
        self.deadline = inf
        request = self._request or HttpRequest()
        self._request = None
        self._body = []
        request.problem = problem
        request.keep_alive = False
        self._refused(request)

    def _too_large(self) -> Problem:
        size = self._listener.limits.body
        return Problem("request_too_large", f"The request body exceeds {size} bytes.")


def _path_of(target: bytes, host: bytes | None) -> bytes | None:
    """The path of an absolute-form target; ``None`` if it and Host name different places.

    Anything else stays as it is, and is not found.
    """
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return target
    authority, slash, path = rest.partition(b"/")
    if host is not None and authority.lower() != host.lower():
        return None
    return slash + path if slash else b"/"
