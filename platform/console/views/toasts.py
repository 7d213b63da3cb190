"""What is a person told after a change, and how do they take it back?"""

from __future__ import annotations

import json

from django.contrib import messages
from django.urls import reverse

from console.mapping import kinds
from console.views.desk import DeskRequest
from foundation.http import Refused
from foundation.http.once import new_token
from policies import selectors


def saved(request: DeskRequest, kind: kinds.Kind, name: str, before: str | None) -> None:
    """``before`` is the digest of the version that was current; None when there was none."""
    head = selectors.head(request.desk.environment, kind.name, name)
    now = head.document_id if head else ""
    if now == before:
        say(request, "Nothing had changed.")
        return
    said = f"{kind.one.capitalize()} {name} {'saved' if before else 'created'}."
    say(request, said, _undo(request, kind, name, version=before or "", base=now))


def deleted(request: DeskRequest, kind: kinds.Kind, name: str, before: str) -> None:
    said = f"{kind.one.capitalize()} {name} deleted."
    say(request, said, _undo(request, kind, name, version=before, base=""))


def restored(request: DeskRequest, kind: kinds.Kind, name: str) -> None:
    say(request, f"{kind.one.capitalize()} {name} is as it was.")


def refused(request: DeskRequest, why: Refused) -> None:
    messages.error(request, json.dumps({"says": why.detail}))


def say(request: DeskRequest, says: str, undo: dict[str, str] | None = None) -> None:
    messages.success(request, json.dumps({"says": says, "undo": undo}))


def _undo(request: DeskRequest, kind: kinds.Kind, name: str, *, version: str, base: str) -> dict[str, str]:
    address = reverse("console:restore", args=[request.desk.environment, kind.slug, name])
    return {"address": address, "version": version, "base": base, "token": new_token()}
