"""What is a gateway that asks to join answered?"""

from __future__ import annotations

from base64 import b64encode

from django.db import connection

from delivery import trust
from fleet.services import enroll_gateway
from foundation.http import Malformed, Refused

WANTED = ("token", "name", "public_key")


def enroll(asked: object) -> tuple[int, dict[str, object]]:
    """Status and JSON answer to a parsed request; called in a thread."""
    try:
        return 201, _enroll(asked)
    except Refused as refused:
        return refused.http_status, refused.problem()
    finally:
        connection.close()


def _enroll(asked: object) -> dict[str, object]:
    fields = asked if isinstance(asked, dict) else {}
    given = {name: str(fields[name]) for name in WANTED if isinstance(fields.get(name), str)}
    if len(given) != len(WANTED):
        raise Malformed("malformed_request", "Send token, name and public_key, each a string.")
    root = trust.first_root()
    made = enroll_gateway(
        token=str(given["token"]), name=str(given["name"]), public_key=str(given["public_key"])
    )
    ring = made.gateway.ring
    return {
        "gateway": made.gateway.id,
        "environment": ring.environment_id,
        "ring": ring.name,
        "credential": made.credential,
        "root": b64encode(bytes(root.envelope)).decode(),
    }
