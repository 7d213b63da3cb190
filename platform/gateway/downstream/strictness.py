"""Is this head unambiguous? What llhttp lets pass but a careful HTTP/1.1 server must not.

llhttp already refuses: Content-Length with Transfer-Encoding, a repeated, signed, listed, empty or
overflowing Content-Length, bare CR or LF, folded lines, blanks before a colon, control characters,
malformed chunk sizes. Added here: one Host, one Authorization, ``chunked`` as the only coding and
only in HTTP/1.1, no other protocol version, no upgrade.
"""

from __future__ import annotations

from gateway.errors import Problem

SINGLE = frozenset((b"host", b"authorization", b"content-length", b"transfer-encoding", b"expect"))
"""Fields that may stand once; two of them would let two readers disagree."""


def ambiguity(headers: dict[bytes, bytes], repeated: bytes | None, version: str) -> Problem | None:
    """``repeated``: name of a field of ``SINGLE`` seen twice. Returns why to refuse, or ``None``."""
    if version not in ("1.1", "1.0"):
        return Problem("http_version_not_supported", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    if repeated is not None:
        return Problem("bad_http", f"The header {repeated.decode('ascii', 'replace')} may stand only once.")
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if version == "1.0":
            return Problem("bad_http", "Transfer-Encoding does not exist in HTTP/1.0.")
        if coding.lower() != b"chunked":
            return Problem("bad_http", "The only transfer coding accepted is chunked.")
    if version == "1.1" and b"host" not in headers:
        return Problem("bad_http", "A Host header is required.")
    expect = headers.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        return Problem("expectation_failed", "The only expectation met here is 100-continue.")
    return None
