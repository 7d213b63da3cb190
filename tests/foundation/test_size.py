"""A body that is too long never reaches the application's disk, announced or not."""

from __future__ import annotations

import asyncio

import pytest
from django.core.handlers.asgi import ASGIHandler

from foundation.http.size import Bounded

MOST = 1000


def call(application, pieces, announced=None):
    headers = [] if announced is None else [(b"content-length", b"%d" % announced)]
    given = [
        {"type": "http.request", "body": piece, "more_body": at < len(pieces) - 1}
        for at, piece in enumerate(pieces)
    ]
    taken, said = [], []

    async def receive():
        taken.append(1)
        return given.pop(0) if given else {"type": "http.disconnect"}

    async def send(message):
        said.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/nothing",
        "headers": headers,
        "query_string": b"",
    }
    asyncio.run(Bounded(application, MOST)(scope, receive, send))
    return [each["status"] for each in said if "status" in each], len(taken)


async def reading(scope, receive, send):
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    if message["type"] == "http.request":
        await send({"type": "http.response.start", "status": 200, "headers": []})


def test_what_announces_too_much_is_not_read_at_all():
    assert call(reading, [b"x"], announced=MOST + 1) == ([413], 0)
    assert call(reading, [b"x"], announced=int("9" * 30)) == ([413], 0)


def test_what_does_not_announce_it_is_read_as_far_as_it_may_go():
    assert call(reading, [b"x" * 400] * 100) == ([413], 3)
    assert call(reading, [b"x" * 500, b"x" * 500]) == ([200], 2)
    assert call(reading, [b"x" * 999], announced=5) == ([200], 1)


@pytest.mark.django_db
def test_django_itself_is_stopped_and_answered_for():
    assert call(ASGIHandler(), [b"x" * 400] * 100) == ([413], 3)
