"""Addresses of the operator's screens and of the console's own health."""

from __future__ import annotations

from django.urls import include, path

from console.views import (
    changes,
    editor,
    explain,
    gateways,
    listing,
    live,
    overview,
    palette,
    records,
    releases,
    saving,
    settings,
    simulations,
    start,
    traces,
    trial,
    usage,
)

app_name = "console"

# What is done comes before the name: a tenant's name is a path, and any word may be one.
of_an_environment = [
    path("", overview.overview, name="overview"),
    path("promises/", overview.promises_part, name="promises"),
    path("live/", live.live, name="live"),
    path("live/history/", live.history, name="history"),
    path("palette/", palette.palette, name="palette"),
    path("policies/<slug:slug>/", listing.listing, name="listing"),
    path("policies/<slug:slug>/<path:name>/", editor.document, name="document"),
    path("new/<slug:slug>/", editor.new, name="new"),
    path("draft/<slug:slug>/", editor.draft, name="draft"),
    path("create/<slug:slug>/", saving.save, name="create"),
    path("save/<slug:slug>/<path:name>/", saving.save, name="save"),
    path("delete/<slug:slug>/<path:name>/", saving.delete, name="delete"),
    path("restore/<slug:slug>/<path:name>/", saving.restore, name="restore"),
    path("try/", trial.try_request, name="try"),
    path("releases/", releases.listing, name="releases"),
    path("releases/<int:version>/", releases.release, name="release"),
    path("releases/<int:version>/roll-back/", releases.roll_back, name="roll-back"),
    path("following/<int:number>/", releases.following, name="following"),
    path("changes/", changes.listing, name="changes"),
    path("changes/<int:number>/", changes.change_set, name="change-set"),
    path("simulations/", simulations.listing, name="simulations"),
    path("simulations/new/", simulations.simulate, name="simulate"),
    path("simulations/compare/", simulations.compare, name="compare-simulations"),
    path("simulations/<int:number>/", simulations.simulation, name="simulation"),
    path("simulations/<int:number>/cancel/", simulations.cancel, name="cancel-simulation"),
    path("traces/", traces.traces, name="traces"),
    path("traces/<int:number>/remove/", traces.remove, name="remove-trace"),
    path("gateways/", gateways.gateways, name="gateways"),
    path("gateways/enrol/", gateways.enrol, name="enrol"),
    path("gateways/<slug:gateway>/retire/", gateways.retire, name="retire"),
    path("usage/", usage.usage, name="usage"),
    path("explain/", explain.explain, name="explain"),
    path("audit/", records.trail, name="audit"),
    path("audit/<int:seq>/", records.entry, name="audit-entry"),
    path("settings/keys/", settings.keys, name="keys"),
    path("settings/keys/create/", settings.create_key, name="create-key"),
    path("settings/keys/<slug:key>/rotate/", settings.rotate_key, name="rotate-key"),
    path("settings/keys/<slug:key>/revoke/", settings.revoke_key, name="revoke-key"),
    path("settings/tokens/", settings.tokens, name="tokens"),
    path("settings/tokens/create/", settings.create_token, name="create-token"),
    path("settings/tokens/<int:token>/revoke/", settings.revoke_token, name="revoke-token"),
    path("settings/trust/", settings.trust_page, name="trust"),
]

urlpatterns = [
    path("", start.home, name="home"),
    path("status/", start.status, name="status"),
    path("usage/", usage.home, name="usage-home"),
    path("explain/", explain.home, name="explain-home"),
    path("live/", live.first, name="live-home"),
    path("healthz", start.healthz, name="healthz"),
    path("readyz", start.readyz, name="readyz"),
    path("e/<slug:environment>/", include(of_an_environment)),
]
