"""Every screen, light and dark: it draws without an error, axe finds nothing serious, and it is pictured."""

from __future__ import annotations

import pytest

from policies.models import ChangeSet
from simulations.models import Simulation, StoredProfile
from tenancy.models import ApiKey, Role
from tests.console.accounted import FORGOTTEN, REFUSED, SERVED
from tests.e2e.conftest import ARTIFACTS, walked

SCREENS = {
    "overview": "/e/dev/",
    "history": "/e/dev/live/history/",
    "tiers": "/e/dev/policies/tiers/",
    "reservations": "/e/dev/policies/reservations/",
    "quotas": "/e/dev/policies/quotas/",
    "routes": "/e/dev/policies/routes/",
    "pools": "/e/dev/policies/pools/",
    "models": "/e/dev/policies/models/",
    "tenants": "/e/dev/policies/tenants/",
    "price-books": "/e/dev/policies/price-books/",
    "expectations": "/e/dev/policies/expectations/",
    "tier": "/e/dev/policies/tiers/priority/",
    "reservation": "/e/dev/policies/reservations/acme-chat/",
    "quota": "/e/dev/policies/quotas/acme/",
    "route": "/e/dev/policies/routes/chat-priority/",
    "pool": "/e/dev/policies/pools/chat-a/",
    "model": "/e/dev/policies/models/llama-3-8b/",
    "tenant": "/e/dev/policies/tenants/acme/",
    "price-book": "/e/dev/policies/price-books/list-prices/",
    "expectation": "/e/dev/policies/expectations/acme-is-served-from-its-reservation/",
    "new-reservation": "/e/dev/new/reservations/",
    "delete-tier": "/e/dev/delete/tiers/flex/",
    "releases": "/e/dev/releases/",
    "release": "/e/dev/releases/3/",
    "roll-back": "/e/dev/releases/1/roll-back/",
    "changes": "/e/dev/changes/",
    "change-set": "/e/dev/changes/CHANGE/",
    "simulations": "/e/dev/simulations/",
    "simulate": "/e/dev/simulations/new/?change_set=CHANGE",
    "simulated": "/e/dev/simulations/SIMULATION1/",
    "simulated-against": "/e/dev/simulations/SIMULATION2/",
    "simulated-sweep": "/e/dev/simulations/SIMULATION3/",
    "simulated-to-promote": "/e/dev/simulations/SIMULATION5/",
    "simulating": "/e/dev/simulations/SIMULATION4/",
    "simulations-compared": "/e/dev/simulations/compare/?of=SIMULATION1&of=SIMULATION2",
    "traces": "/e/dev/traces/",
    "profiles": "/e/dev/profiles/",
    "profile": "/e/dev/profiles/PROFILE/",
    "gateways": "/e/dev/gateways/",
    "overrides": "/e/dev/overrides/",
    "begin-override": "/e/dev/overrides/begin/drain_replica/?subject=http://127.0.0.1:8101",
    "ask-for-more": "/e/dev/overrides/begin/raise_limit/",
    "credits": "/e/dev/credits/",
    "usage": "/e/dev/usage/",
    "usage-by-key": "/e/dev/usage/?step=month&by=tenant&by=key_id",
    "explain": "/e/dev/explain/",
    "explained-served": f"/e/dev/explain/?request={SERVED}",
    "explained-refused": f"/e/dev/explain/?request={REFUSED}",
    "explained-account-only": f"/e/dev/explain/?request={FORGOTTEN}",
    "audit": "/e/dev/audit/",
    "audit-entry": "/e/dev/audit/3/",
    "keys": "/e/dev/settings/keys/",
    "revoke-key": "/e/dev/settings/keys/KEY/revoke/",
    "tokens": "/e/dev/settings/tokens/",
    "trust": "/e/dev/settings/trust/",
    "status": "/status/",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_screen_is_sound(lived_in, sign_in, live_server, theme):
    from axe_playwright_python.sync_playwright import Axe

    page = sign_in("olga", Role.OPERATOR, color_scheme=theme)
    named = {"KEY": ApiKey.objects.filter(revoked_at=None)[0].key_id}
    named["CHANGE"] = str(ChangeSet.objects.filter(state=ChangeSet.State.OPEN)[0].pk)
    for at, number in enumerate(Simulation.objects.order_by("pk").values_list("pk", flat=True), start=1):
        named[f"SIMULATION{at}"] = str(number)
    named["PROFILE"] = str(StoredProfile.objects.order_by("pk")[0].pk)
    folder = ARTIFACTS / "screens" / theme
    folder.mkdir(parents=True, exist_ok=True)
    axe = Axe()
    found = {}
    addresses = {}
    for name, path in SCREENS.items():
        for part, value in named.items():
            path = path.replace(part, value)
        addresses[name] = live_server.url + path
    for name, shown in walked(page, addresses):
        shown.screenshot(path=folder / f"{name}.png", full_page=True)
        grave = [
            f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:160]}"
            for each in axe.run(shown).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        # This server has no sockets: a page that wants one does without.
        problems = [each for each in shown.problems if "/ws/live" not in each]
        if grave or problems:
            found[name] = [*grave, *problems]
    assert not found, "\n".join(f"{name}: {problems}" for name, problems in found.items())
