"""Addresses of the app's REST API, under /api/v1/."""

from __future__ import annotations

from django.urls import path, re_path

from telemetry.decisions import api as decisions
from telemetry.live import api as live
from telemetry.series import api as series

app_name = "telemetry"
urlpatterns = [
    path("series", series.SeriesView.as_view(), name="series"),
    path("ws-tickets", live.TicketsView.as_view(), name="ws-tickets"),
    path("decisions", decisions.DecisionsView.as_view(), name="decisions"),
    re_path(
        r"^decisions/(?P<request_id>[A-Za-z0-9_-]{1,100})\Z",
        decisions.DecisionView.as_view(),
        name="decision",
    ),
]
