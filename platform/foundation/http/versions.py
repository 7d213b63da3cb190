"""Which version of a thing does the caller mean? ETag, If-Match and If-None-Match (RFC 9110)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.http import HttpRequest

from foundation.http.refusals import Malformed, PreconditionRequired

_TAG = re.compile(r'"([\x21\x23-\x7e\x80-\xff]*)"\Z')


@dataclass(frozen=True, slots=True)
class Expected:
    """What the caller takes for granted: a version, whichever is there (``any_version``), or nothing."""

    version: str | None
    any_version: bool = False


def etag(digest: str) -> str:
    """A strong entity tag: equal digests are equal bytes."""
    return f'"{digest}"'


def expected_version(request: HttpRequest) -> Expected:
    """From ``If-Match: "<version>"``, ``If-Match: *``, or ``If-None-Match: *`` (it must not exist).

    A change without one would overwrite what the caller never saw: ``PreconditionRequired`` (428).
    """
    match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if match is not None and none_match is not None:
        raise Malformed("ambiguous_precondition", "Send If-Match or If-None-Match, not both.")
    if none_match is not None:
        if none_match.strip() != "*":
            raise Malformed("malformed_precondition", "To create something, send `If-None-Match: *`.")
        return Expected(None)
    if match is None:
        raise PreconditionRequired(
            "precondition_required",
            "Send the ETag you last saw as If-Match, or `If-None-Match: *` to create something.",
        )
    if match.strip() == "*":
        return Expected(None, any_version=True)
    tag = _TAG.match(match.strip())
    if tag is None:
        raise Malformed("malformed_precondition", 'If-Match takes one strong tag, such as `"sha256:..."`.')
    return Expected(tag[1])


def not_modified(request: HttpRequest, digest: str) -> bool:
    """Whether the caller already holds this version, so that 304 is the whole answer."""
    held = request.headers.get("If-None-Match", "")
    tags = {tag.strip().removeprefix("W/") for tag in held.split(",")}
    return etag(digest) in tags
