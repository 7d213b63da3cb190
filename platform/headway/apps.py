"""Django's own apps as this project sets them up."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class RecordsConfig(AdminConfig):
    """``/admin/`` with our site: named here, imported once models are there."""

    default_site = "headway.admin_site.RecordsSite"
