"""What does the command palette offer? Pages and deeds at once, objects as their names are typed."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from console.mapping import kinds
from console.mapping.overriding import MEASURES
from console.views.desk import Desk, DeskRequest, for_staff, show
from policies import selectors

MOST = 12


@dataclass(frozen=True, slots=True)
class Offer:
    """One line of the palette."""

    what: str
    name: str
    address: str


@require_safe
@for_staff
def palette(request: DeskRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    found = [offer for offer in _fixed(request.desk) if _matches(query, f"{offer.what} {offer.name}")]
    if query:
        environment = request.desk.environment
        rows = selectors.heads(environment, search=query).order_by("name", "kind").values_list("kind", "name")
        found += [
            Offer(
                kinds.BY_NAME[kind].one,
                name,
                reverse("console:document", args=[environment, kinds.BY_NAME[kind].slug, name]),
            )
            for kind, name in rows[:MOST]
            if kind in kinds.BY_NAME
        ]
    return show(request, "console/_palette.html", "", {"offers": found[: MOST * 2], "query": query})


def _matches(query: str, words: str) -> bool:
    """Whether the letters of ``query`` come in ``words`` in their order."""
    letters = iter(words.lower())
    return all(letter in letters for letter in query.lower() if letter != " ")


def _fixed(desk: Desk) -> list[Offer]:
    def to(name: str, *more: str) -> str:
        return reverse(f"console:{name}", args=[desk.environment, *more])

    pages = [
        Offer("page", "Overview", to("overview")),
        *(Offer("policies", kind.title, to("listing", kind.slug)) for kind in kinds.ALL),
        Offer("page", "Changes", to("changes")),
        Offer("page", "Simulations", to("simulations")),
        Offer("page", "Traces", to("traces")),
        Offer("page", "Profiles of replicas", to("profiles")),
        Offer("page", "Releases", to("releases")),
        Offer("page", "Gateways", to("gateways")),
        Offer("page", "Overrides", to("overrides")),
        Offer("page", "Credits", to("credits")),
        Offer("page", "Usage", to("usage")),
        Offer("page", "Explain a request", to("explain")),
        Offer("page", "Audit", to("audit")),
        Offer("settings", "API keys", to("keys")),
        Offer("settings", "Service tokens", to("tokens")),
        Offer("settings", "Trust", to("trust")),
        Offer("page", "Status", reverse("console:status")),
    ]
    if desk.may_change:
        pages.append(Offer("new", "Simulate", to("simulate")))
        pages += [Offer("override", one.title, to("begin-override", one.kind)) for one in MEASURES.values()]
        pages += [Offer("new", f"New {kind.one}", to("new", kind.slug)) for kind in kinds.ALL]
    return pages
