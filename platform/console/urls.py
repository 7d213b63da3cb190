"""Addresses of the operator's screens and of the console's own health."""

from __future__ import annotations

from django.urls import path

from console import views

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("status/", views.status, name="status"),
    path("start/", views.tenant, name="tenant"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
