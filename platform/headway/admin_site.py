"""Where are the raw records looked at, and by whom? ``/admin/``, for the platform's staff, read only.

Its pages come from a package with inline scripts and styles, so they have their own, wider content
policy; nothing can be changed from them, whatever runs there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from foundation.read_only import ReadOnlyAdmin
from tenancy.models import User
from tenancy.permissions import may_see_platform

POLICY: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}


class RecordsSite(UnfoldAdminSite):  # type: ignore[misc] # the package has no types
    site_title = site_header = "Headway records"
    index_title = "Records"

    def register(self, model_or_iterable: Any, admin_class: type[Any] | None = None, **options: Any) -> None:
        """Whatever an app registers is read only; what did not mean to be loses its own columns."""
        if admin_class is None or not issubclass(admin_class, ReadOnlyAdmin):
            admin_class, options = ReadOnlyAdmin, {}
        super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """The staff of the platform; Django's own ``is_staff`` means nothing here."""
        return isinstance(request.user, User) and request.user.is_active and may_see_platform(request.user)

    def admin_view(self, view: Callable[..., HttpResponse], cacheable: bool = False) -> Any:
        return csp_replace(POLICY)(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002
        """There is one place to sign in."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next", reverse("admin:index")))
