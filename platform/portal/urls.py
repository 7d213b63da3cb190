"""Addresses of a tenant's screens, under /portal/. The tenant comes last: its name is a path."""

from __future__ import annotations

from django.urls import path

from portal.views import keys, overview, refusals, start, team_limits, teams, usage

PLACE = "<slug:environment>/<path:tenant>/"

app_name = "portal"
urlpatterns = [
    path("", overview.home, name="home"),
    path(f"overview/{PLACE}", overview.overview, name="overview"),
    path(f"keys/{PLACE}", keys.keys, name="keys"),
    path(f"create-key/{PLACE}", keys.create, name="create-key"),
    path(f"rotate-key/<slug:key>/{PLACE}", keys.rotate, name="rotate-key"),
    path(f"revoke-key/<slug:key>/{PLACE}", keys.revoke, name="revoke-key"),
    path(f"teams/{PLACE}", teams.teams, name="teams"),
    path(f"preview-share/{PLACE}", teams.preview, name="preview-share"),
    path(f"move-share/{PLACE}", teams.move, name="move-share"),
    path(f"set-limits/{PLACE}", team_limits.save, name="set-limits"),
    path(f"preview-limits/{PLACE}", team_limits.preview, name="preview-limits"),
    path(f"ask-for-more/{PLACE}", team_limits.ask, name="ask-for-more"),
    path(f"usage/{PLACE}", usage.usage, name="usage"),
    path(f"refusals/{PLACE}", refusals.refusals, name="refusals"),
    path(f"request/<slug:request_id>/{PLACE}", refusals.one, name="request"),
    path(f"start/{PLACE}", start.start, name="start"),
]
