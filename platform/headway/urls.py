"""Which address leads where?"""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("console.urls")),
    path("", include("tenancy.urls")),
]

handler403 = "console.views.forbidden"
handler404 = "console.views.not_found"
handler500 = "console.views.broken"
