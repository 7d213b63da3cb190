"""Addresses of the delivery API, under /api/v1/. Those that gateways use are in ``endpoints``."""

from __future__ import annotations

from django.urls import re_path

from delivery.api import directory, gateways, limit_credits, overrides, releases, team_limits

ENVIRONMENT = r"^environments/(?P<environment>[a-z0-9][a-z0-9.-]{0,62})"
KEY = r"(?P<key>[a-z2-7]{10})"
TENANT = r"(?P<tenant>[a-z0-9][a-z0-9./-]{0,511})"
OVERRIDE = r"(?P<override>ovr_[0-9a-z]{8,40})"
GATEWAY = r"(?P<gateway>gw_[0-9a-z]{26})"

app_name = "delivery"
urlpatterns = [
    re_path(rf"{ENVIRONMENT}/status\Z", gateways.Status.as_view(), name="status"),
    re_path(rf"{ENVIRONMENT}/releases\Z", releases.Releases.as_view(), name="releases"),
    re_path(
        rf"{ENVIRONMENT}/releases/(?P<version>[1-9][0-9]{{0,17}})\Z",
        releases.OneRelease.as_view(),
        name="release",
    ),
    re_path(rf"{ENVIRONMENT}/rollback\Z", releases.Rollback.as_view(), name="rollback"),
    re_path(rf"{ENVIRONMENT}/gateways\Z", gateways.Gateways.as_view(), name="gateways"),
    re_path(rf"{ENVIRONMENT}/gateways/{GATEWAY}\Z", gateways.OneGateway.as_view(), name="gateway"),
    re_path(rf"{ENVIRONMENT}/enrolment-tokens\Z", gateways.EnrolmentTokens.as_view(), name="tokens"),
    re_path(rf"{ENVIRONMENT}/keys\Z", directory.Keys.as_view(), name="keys"),
    re_path(rf"{ENVIRONMENT}/keys/{KEY}\Z", directory.OneKey.as_view(), name="key"),
    re_path(rf"{ENVIRONMENT}/keys/{KEY}/rotate\Z", directory.RotateKey.as_view(), name="rotate-key"),
    re_path(rf"{ENVIRONMENT}/credits\Z", limit_credits.Credits.as_view(), name="credits"),
    re_path(rf"{ENVIRONMENT}/overrides\Z", overrides.Overrides.as_view(), name="overrides"),
    re_path(rf"{ENVIRONMENT}/overrides/{OVERRIDE}\Z", overrides.OneOverride.as_view(), name="override"),
    re_path(
        rf"{ENVIRONMENT}/overrides/{OVERRIDE}/approve\Z",
        overrides.Approve.as_view(),
        name="approve-override",
    ),
    re_path(rf"{ENVIRONMENT}/overrides/{OVERRIDE}/lift\Z", overrides.Lift.as_view(), name="lift-override"),
    re_path(rf"{ENVIRONMENT}/team-limits/{TENANT}\Z", team_limits.TeamLimits.as_view(), name="team-limits"),
    re_path(rf"{ENVIRONMENT}/shares\Z", directory.Shares.as_view(), name="shares"),
    re_path(rf"{ENVIRONMENT}/shares/{TENANT}\Z", directory.OneShare.as_view(), name="share"),
]
