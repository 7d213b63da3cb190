"""Addresses of usage, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from ledger.api import views

app_name = "ledger"
urlpatterns = [
    path("usage", views.UsageView.as_view(), name="usage"),
    path("usage.csv", views.UsageAsTable.as_view(), name="usage-csv"),
    path("usage.jsonl", views.UsageAsLines.as_view(), name="usage-jsonl"),
    path("usage/statements", views.StatementsView.as_view(), name="statements"),
    path("usage/events", views.EventsView.as_view(), name="events"),
]
