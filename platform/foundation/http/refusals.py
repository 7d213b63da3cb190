"""Why was something refused, and what can the caller do about it? One value, whatever the surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at one place of what the caller sent. ``pointer`` is a JSON pointer (RFC 6901)."""

    pointer: str
    code: str
    message: str


class Refused(Exception):
    """A request that is not carried out, with everything its caller needs to decide what next.

    ``extra`` holds further members of the problem document (RFC 9457 section 3.2), JSON-ready.
    """

    status: ClassVar[int] = 400

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        retry_after: int | None = None,
        kind: str = "",
        name: str = "",
        errors: Sequence[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.http_status = status if status is not None else self.status
        self.retryable = retryable or retry_after is not None
        self.retry_after = retry_after
        """Seconds."""
        self.object = {"kind": kind, "name": name} if kind else None
        self.errors = tuple(errors)
        self.extra = dict(extra or {})

    def problem(self) -> dict[str, Any]:
        """As a problem document (RFC 9457)."""
        return {
            "type": f"/docs/problems/{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.http_status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.retryable,
            "retry_after": self.retry_after,
            "object": self.object,
            "errors": [
                {"pointer": error.pointer, "code": error.code, "message": error.message}
                for error in self.errors
            ],
            **self.extra,
        }


class Malformed(Refused):
    """It cannot be read at all."""

    status = 400


class Forbidden(Refused):
    """The caller may not."""

    status = 403


class NotFound(Refused):
    """There is no such thing, or none this caller may know of."""

    status = 404


class Conflict(Refused):
    """It was right when it was made; the world has moved since."""

    status = 409


class PreconditionFailed(Refused):
    """The version the caller named is not the current one."""

    status = 412


class Invalid(Refused):
    """It can be read, and what it says will not do: ``errors`` say where."""

    status = 422


class PreconditionRequired(Refused):
    """The caller must name the version it means to change."""

    status = 428
