"""What does a client see when it is told no? OpenAI-shaped errors: one table of codes."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

CODES: dict[str, tuple[int, str]] = {
    # the caller's request
    "invalid_request": (400, "invalid_request_error"),
    "invalid_json": (400, "invalid_request_error"),
    "bad_http": (400, "invalid_request_error"),
    "unknown_tier": (400, "invalid_request_error"),
    "context_length_exceeded": (400, "invalid_request_error"),
    "invalid_api_key": (401, "authentication_error"),
    "key_blocked": (401, "authentication_error"),
    "tier_not_entitled": (403, "permission_error"),
    "key_not_permitted": (403, "permission_error"),
    "tenant_blocked": (403, "permission_error"),
    "model_not_found": (404, "invalid_request_error"),
    "no_route": (404, "invalid_request_error"),
    "unknown_url": (404, "invalid_request_error"),
    "method_not_allowed": (405, "invalid_request_error"),
    "request_timeout": (408, "invalid_request_error"),
    "request_too_large": (413, "invalid_request_error"),
    "expectation_failed": (417, "invalid_request_error"),
    "headers_too_large": (431, "invalid_request_error"),
    "http_version_not_supported": (505, "invalid_request_error"),
    # the caller's limits
    "rate_limit_exceeded": (429, "rate_limit_error"),
    "concurrency_exceeded": (429, "rate_limit_error"),
    "run_budget_exceeded": (429, "rate_limit_error"),
    "run_loop_suspected": (429, "rate_limit_error"),
    "spend_exceeded": (429, "insufficient_quota"),
    "reservation_exceeded": (429, "rate_limit_error"),
    "deadline_unmeetable": (429, "rate_limit_error"),
    # ours
    "internal_error": (500, "server_error"),
    "upstream_failed": (502, "server_error"),
    "accounting_unavailable": (503, "server_error"),
    "capacity_exceeded": (503, "server_error"),
    "gateway_stopping": (503, "server_error"),
    "reservation_shortfall": (503, "server_error"),
    "upstream_timeout": (504, "server_error"),
}
"""``code`` -> (HTTP status, OpenAI ``type``)."""

PARAM: dict[str, str] = {
    "unknown_tier": "service_tier",
    "tier_not_entitled": "service_tier",
    "model_not_found": "model",
    "context_length_exceeded": "messages",
}
"""``code`` -> the request member it is about, where that is always the same one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal, before it is put into bytes."""

    code: str
    message: str
    param: str | None = None
    retry_after_us: int | None = None

    @property
    def status(self) -> int:
        return CODES[self.code][0]

    def body(self) -> bytes:
        """The OpenAI-shaped JSON error object."""
        return orjson.dumps(
            {
                "error": {
                    "message": self.message,
                    "type": CODES[self.code][1],
                    "param": self.param or PARAM.get(self.code),
                    "code": self.code,
                }
            }
        )

    def fields(self) -> bytes:
        """Header lines that say when to come back; both forms, as OpenAI's clients read either."""
        if self.retry_after_us is None:
            return b""
        milliseconds = max(1, -(-self.retry_after_us // 1000))
        return b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (-(-milliseconds // 1000), milliseconds)
