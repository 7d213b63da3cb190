"""How does a command ask a console over REST, and say what it was refused?"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx

from headway.cli.artefacts import COULD_NOT_RUN, CouldNotRun, reporting
from subscriber.transport import require_safe

REFUSED = 1
ATTEMPTS = 4
FIRST_PAUSE = 0.5
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
NOT_OURS = frozenset({401, 403, 404})
"""Answers to a question that was not ours to ask: could not run, rather than no."""


class RefusedByConsole(Exception):
    """The console understood, and said no."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or f"the console answered {status}")
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", ""))


class Console:
    """One environment of one console."""

    def __init__(self, server: str, token: str, environment: str) -> None:
        if not server:
            raise CouldNotRun("--server is not given, and HEADWAY_SERVER is not set")
        if not token:
            raise CouldNotRun("--token is not given, and HEADWAY_TOKEN is not set")
        try:
            base = require_safe(server)
        except ValueError as unsafe:
            raise CouldNotRun(str(unsafe)) from None
        if not token.isascii() or not token.isprintable():
            raise CouldNotRun("the token holds characters that no token has")
        self.server, self.environment = base, environment
        self._client = httpx.Client(
            base_url=f"{base}/api/v1/environments/",
            headers={"authorization": f"Bearer {token}", "accept": "application/json"},
            timeout=TIMEOUT,
            trust_env=False,
        )

    def get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Done once, however often it must be sent: every attempt carries the same idempotency key."""
        return self._ask("POST", path, body)

    def close(self) -> None:
        self._client.close()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        headers = {"idempotency-key": uuid.uuid4().hex} if body is not None else {}
        pause = FIRST_PAUSE
        for attempt in range(ATTEMPTS):
            try:
                answer = self._client.request(
                    method, f"{self.environment}/{path}", json=body, headers=headers
                )
            except httpx.TransportError as error:
                if attempt == ATTEMPTS - 1:
                    raise CouldNotRun(f"{self.server} does not answer: {error}") from None
            else:
                if attempt == ATTEMPTS - 1 or not _comes_back(answer):
                    return _read(answer)
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")


def _comes_back(answer: httpx.Response) -> bool:
    """Nobody has answered the question yet: there was no room, or its first sending is still worked on."""
    return answer.status_code in (429, 502, 503, 504) or b'"idempotency_in_progress"' in answer.content


def _read(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise CouldNotRun(f"{answer.url.host} answered {answer.status_code}, but not as a console does")
    if answer.is_success:
        return said
    if answer.status_code in NOT_OURS:
        raise CouldNotRun(f"{said.get('detail', answer.status_code)} ({said.get('code', 'no code')})")
    raise RefusedByConsole(answer.status_code, said)


@contextmanager
def asking(command: str, server: str, token: str, environment: str) -> Iterator[Console]:
    """A console for the length of a block; what it refuses ends the command with exit 1."""
    with reporting(command):
        console = Console(server, token, environment)
        try:
            yield console
        except RefusedByConsole as refused:
            _tell(command, refused)
        finally:
            console.close()


def _tell(command: str, refused: RefusedByConsole) -> NoReturn:
    print(f"headway {command}: {refused} ({refused.code or refused.status})", file=sys.stderr)
    for error in refused.problem.get("errors") or ():
        place = f"{error.get('pointer')}: " if error.get("pointer") else ""
        print(f"  {error.get('code')}: {place}{error.get('message')}", file=sys.stderr)
    raise SystemExit(COULD_NOT_RUN if refused.status >= 500 else REFUSED)
