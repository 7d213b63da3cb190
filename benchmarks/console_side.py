"""What of a measurement must run inside Django? An operator's token, and the view to compare with.

``python -m benchmarks.console_side token`` prints a token of a new operator of the state folder in
HEADWAY_VAR. ``... views --port N --ready-file F`` serves the pointer as a plain Django view: the same
authentication, the same row, the same 304, and a wait that holds its request as Django views do.
"""

from __future__ import annotations

import argparse
import os
import socket
import threading
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "headway.settings.base"

import django
from django.conf import settings
from django.contrib.auth.decorators import login_not_required

django.setup()

import uvicorn  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from delivery.models import Pointer  # noqa: E402
from fleet.models import Gateway  # noqa: E402
from foundation.actors import SYSTEM  # noqa: E402
from tenancy.credentials import create_service_token  # noqa: E402
from tenancy.models import Membership, Role, ServiceToken, User  # noqa: E402

NEWS = threading.Event()
LONGEST_WAIT_S = 60.0


@login_not_required
def pointer(request: HttpRequest, environment: str, ring: str) -> HttpResponse:
    """The pointer endpoint, written as a view: one query for the caller, one for the pointer."""
    credential = request.headers.get("Authorization", "").removeprefix("Bearer ")
    digest = sha256(credential.encode()).hexdigest()
    caller = Gateway.objects.filter(credential_sha256=digest, retired_at=None).select_related("ring").first()
    if caller is None or (caller.ring.environment_id, caller.ring.name) != (environment, ring):
        return HttpResponse(status=401)
    envelope, etag = Pointer.objects.values_list("envelope", "etag").get(ring=caller.ring)
    if request.headers.get("If-None-Match") != f'"{etag}"':
        return HttpResponse(bytes(envelope), headers={"ETag": f'"{etag}"'})
    if "wait=" in request.headers.get("Prefer", ""):
        NEWS.wait(LONGEST_WAIT_S)
    return HttpResponse(status=304, headers={"ETag": f'"{etag}"'})


urlpatterns = [path("api/v1/pointers/<str:environment>/<str:ring>", pointer)]


def token() -> str:
    operator = User.objects.create_user("bench", password="measures-and-is-gone")  # noqa: S106 - of a folder that is thrown away
    Membership.objects.create(user=operator, role=Role.OPERATOR)
    made = create_service_token(
        actor=SYSTEM,
        owner=operator,
        name="bench",
        scopes=ServiceToken.Scope.values,
        life=timedelta(days=1),
    )
    return made.secret


def views(port: int, ready: Path) -> None:
    settings.ROOT_URLCONF = __name__
    listener = socket.create_server(("127.0.0.1", port))
    ready.write_text("ready")
    config = uvicorn.Config(
        get_asgi_application(), lifespan="off", access_log=False, log_level="error", server_header=False
    )
    uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("what", choices=["token", "views"])
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--ready-file", type=Path)
    chosen = options.parse_args()
    if chosen.what == "token":
        print(token())
    else:
        views(chosen.port, chosen.ready_file)


if __name__ == "__main__":
    main()
