"""Which address leads where?"""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from foundation.http.answers import unknown_address
from tenancy.api import schema as _describes_tokens  # noqa: F401

urlpatterns = [
    path("api/v1/", include("policies.urls")),
    path("api/v1/", include("delivery.urls")),
    path("api/v1/", include("simulations.urls")),
    path("api/v1/", include("ledger.urls")),
    path("api/v1/", include("telemetry.urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^api/", unknown_address),
    path("admin/", admin.site.urls),
    path("portal/", include("portal.urls")),
    path("", include("console.urls")),
    path("", include("tenancy.urls")),
]

handler403 = "console.views.forbidden"
handler404 = "console.views.not_found"
handler500 = "console.views.broken"
