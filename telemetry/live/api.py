"""Tickets to the live socket, for whoever has no session to bring along."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from telemetry.live import tickets
from telemetry.live.connection import PROTOCOL
from telemetry.live.tickets import Bearer
from tenancy.models import ServiceToken


class Ticket(serializers.Serializer[Any]):
    protocols = serializers.ListField(
        child=serializers.CharField(), help_text="To be offered as the socket's subprotocols, in this order."
    )
    expires_at = serializers.DateTimeField(help_text="It opens one socket, until then.")


class TicketsView(APIView):
    @extend_schema(operation_id="create_ws_ticket", request=None, responses={201: Ticket})
    def post(self, request: Request) -> Response:
        """A ticket to `/ws/live` for one socket, good for thirty seconds."""
        token: Any = request.auth
        session = "" if isinstance(token, ServiceToken) else request.session.session_key or ""
        user: Any = request.user
        secret = tickets.issue(
            Bearer(user.pk, session=session, token=token.pk if isinstance(token, ServiceToken) else None)
        )
        expires = timezone.now() + timedelta(seconds=tickets.LIFE)
        answer = Response(
            {"protocols": [PROTOCOL, f"{tickets.PREFIX}{secret}"], "expires_at": expires}, status=201
        )
        answer["Cache-Control"] = "no-store"
        return answer
