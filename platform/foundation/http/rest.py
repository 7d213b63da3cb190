"""How do REST framework's views speak the house's language? Problems out, repeats answered once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpResponse
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from foundation.http import idempotency
from foundation.http.answers import PROBLEM_JSON, problem_response
from foundation.http.refusals import FieldError, Forbidden, Invalid, NotFound, Refused

CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEPT_HEADERS = ("Content-Type", "ETag", "Location")


def exception_handler(error: Exception, _context: Mapping[str, Any]) -> HttpResponse | None:
    """REST framework's ``EXCEPTION_HANDLER``: every refusal in one shape; what is a bug stays a 500."""
    refused = as_refused(error)
    if refused is None:
        return None
    set_rollback()
    response = problem_response(refused)
    if isinstance(error, exceptions.APIException) and (scheme := getattr(error, "auth_header", None)):
        response["WWW-Authenticate"] = scheme
    return response


def as_refused(error: Exception) -> Refused | None:
    """Django's and REST framework's own refusals as ours; None for anything that is not a refusal."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Http404):
        return NotFound("not_found", str(error) or "There is nothing of that name.")
    if isinstance(error, RequestDataTooBig):
        return Refused("request_too_large", "The request is larger than any policy set.", status=413)
    if isinstance(error, PermissionDenied):
        return Forbidden("forbidden", str(error) or "This is not yours to do.")
    if isinstance(error, exceptions.ValidationError):
        errors = list(_field_errors(error.detail, error.get_codes(), ""))
        return Invalid("invalid_request", "Some of what was sent will not do.", errors=errors)
    if isinstance(error, exceptions.APIException):
        retry_after = getattr(error, "wait", None)
        return Refused(
            _code(error),
            str(error.detail),
            status=error.status_code,
            retry_after=None if retry_after is None else math.ceil(retry_after),
        )
    return None


class Idempotent(APIView):
    """A view whose changes may be sent again under one ``Idempotency-Key`` and happen once."""

    _claimed: tuple[str, str] | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method not in CHANGES or not self.claims(request):
            return
        precondition = request.headers.get("If-Match", "") + "|" + request.headers.get("If-None-Match", "")
        asked = idempotency.fingerprint(
            request.method or "", request.get_full_path(), precondition, bytes(request._request.body)
        )
        principal = f"user:{request.user.pk}"
        earlier = idempotency.claim(principal=principal, key=key, request=asked)
        if earlier is not None:
            raise _Repeated(earlier)
        self._claimed = (principal, key)

    def claims(self, request: Request) -> bool:  # noqa: ARG002 - for those who override it
        """Whether a key is looked at: the whole body is read for it."""
        return True

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, _Repeated):
            return _again(exc.answer)
        if self._claimed and as_refused(exc) is None:
            idempotency.release(principal=self._claimed[0], key=self._claimed[1])
            self._claimed = None
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        if self._claimed is not None:
            principal, key = self._claimed
            if isinstance(final, Response):
                final.add_post_render_callback(lambda done: self._keep(principal, key, done))
            else:
                self._keep(principal, key, final)
        return final

    def remembered(self, response: Any) -> bytes:
        """What a repeat is answered with; a view whose answers hold a secret leaves it out here."""
        return bytes(response.content)

    def _keep(self, principal: str, key: str, response: Any) -> None:
        """An answer that tells the caller to try again must not be the answer for good."""
        if response.status_code >= status.HTTP_500_INTERNAL_SERVER_ERROR or _retryable(response):
            idempotency.release(principal=principal, key=key)
            return
        headers = {name: response[name] for name in KEPT_HEADERS if name in response}
        answer = idempotency.Answer(response.status_code, headers, self.remembered(response))
        idempotency.settle(principal=principal, key=key, answer=answer)


class _Repeated(Exception):
    """The request was answered before."""

    def __init__(self, answer: idempotency.Answer) -> None:
        super().__init__()
        self.answer = answer


def _again(answer: idempotency.Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
    response["Idempotency-Replayed"] = "true"
    return response


def _retryable(response: Any) -> bool:
    return "Retry-After" in response and response["Content-Type"].startswith(PROBLEM_JSON)


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else error.default_code


def _field_errors(detail: Any, codes: Any, pointer: str) -> Iterator[FieldError]:
    """REST framework's nested details as flat errors with JSON pointers."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            step = "" if name == "non_field_errors" else "/" + str(name).replace("~", "~0").replace("/", "~1")
            yield from _field_errors(inner, codes[name], pointer + step)
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for at, (inner, code) in enumerate(zip(detail, codes, strict=True)):
            leaf = isinstance(inner, str)
            yield from _field_errors(inner, code, pointer if leaf else f"{pointer}/{at}")
    else:
        yield FieldError(pointer, str(codes), str(detail))
