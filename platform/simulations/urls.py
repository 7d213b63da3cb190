"""Addresses of the simulation API, under /api/v1/."""

from __future__ import annotations

from django.urls import re_path

from simulations.api import profiles, simulations, traces

ENVIRONMENT = r"^environments/(?P<environment>[a-z0-9][a-z0-9-]{0,62})"
NUMBER = r"(?P<number>[1-9][0-9]{0,17})"

app_name = "simulations"
urlpatterns = [
    re_path(rf"{ENVIRONMENT}/traces\Z", traces.Traces.as_view(), name="traces"),
    re_path(rf"{ENVIRONMENT}/traces/{NUMBER}\Z", traces.OneTrace.as_view(), name="trace"),
    re_path(rf"{ENVIRONMENT}/profiles\Z", profiles.Profiles.as_view(), name="profiles"),
    re_path(rf"{ENVIRONMENT}/profiles/{NUMBER}\Z", profiles.OneProfile.as_view(), name="profile"),
    re_path(rf"{ENVIRONMENT}/simulations\Z", simulations.Simulations.as_view(), name="simulations"),
    re_path(rf"{ENVIRONMENT}/simulations/compare\Z", simulations.Compare.as_view(), name="compare"),
    re_path(rf"{ENVIRONMENT}/simulations/{NUMBER}\Z", simulations.OneSimulation.as_view(), name="simulation"),
    re_path(rf"{ENVIRONMENT}/simulations/{NUMBER}/cancel\Z", simulations.Cancel.as_view(), name="cancel"),
    re_path(rf"{ENVIRONMENT}/simulations/{NUMBER}/promote\Z", simulations.Promote.as_view(), name="promote"),
]
