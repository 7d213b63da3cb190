"""What answers a connection? Gateways' endpoints and live sockets before Django, the rest by Django."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headway.settings.base")

from typing import Any

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

application_of_django = get_asgi_application()

# Django is set up by now, so that the apps may be imported.
from django.conf import settings  # noqa: E402

from delivery.endpoints import DeliveryApplication  # noqa: E402
from foundation.http.size import Bounded  # noqa: E402
from headway.background import Background  # noqa: E402
from headway.lifespan import Lifespan  # noqa: E402

BACKGROUND = Background()
ROOM = 1024**2
"""Bytes of a form around what is uploaded with it."""
pages = Bounded(
    application_of_django,
    max(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, settings.HEADWAY_TRACE_MB * 1024**2) + ROOM,
)


async def http(scope: Any, receive: Any, send: Any) -> None:
    if DeliveryApplication.answers(scope["path"]):
        await BACKGROUND.delivery(scope, receive, send)
    else:
        await pages(scope, receive, send)


application = ProtocolTypeRouter(
    {"http": http, "websocket": BACKGROUND.live, "lifespan": Lifespan(BACKGROUND)}
)
