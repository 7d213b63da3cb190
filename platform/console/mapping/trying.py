"""Which route would a request take, which pool, and why? Asked of the compiled policy, on an idle fleet.

The decision is made by the very function the gateway calls; the table beside it says of every route
whether it matches, and if not, what is in the way.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coordination.bundle.tree import EMPTY
from coordination.compiler import build
from coordination.program.index import Program, load
from coordination.program.records import Micros
from coordination.scheduling import admit, classify, new_state
from coordination.scheduling.values import Refusal, Request
from coordination.spec import Document
from coordination.spec.kinds.tenant import ancestors
from policies import selectors
from policies.mapping import sets
from policies.services import clock

KEPT = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, in a client's words."""

    tenant: str
    model: str
    service_tier: str
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Considered:
    """One route, in the order of the table."""

    route: str
    rank: int
    state: str
    """``chosen``, ``later`` (would match, after the chosen one) or ``no``."""
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What would become of the request."""

    verdict: str
    code: str
    message: str
    tier: str
    route: str
    pool: str
    reservation: str
    steps: tuple[tuple[str, str], ...]
    """(rule, sentence)."""
    routes: tuple[Considered, ...]


_programs: OrderedDict[tuple[str, str, Micros], Program] = OrderedDict()
_lock = threading.Lock()


def program_of(environment: str) -> Program | None:
    """The compiled current policy; None when there is none, or it does not compile."""
    revision = selectors.current_revision(environment)
    root = revision.root_tree_id if revision else EMPTY
    at = clock.micros(clock.midnight())
    key = (environment, root, at)
    with _lock:
        if key in _programs:
            _programs.move_to_end(key)
            return _programs[key]
    records, _, _, _ = build(sets.stored_set(root).policy_set(), environment=environment, at=at)
    if records is None:
        return None
    program = load(records)
    with _lock:
        _programs[key] = program
        while len(_programs) > KEPT:
            _programs.popitem(last=False)
    return program


def ask(program: Program, asked: Asked, routes: Sequence[Document], now: Micros) -> Answer:
    """Decide ``asked`` on a fleet where everything is free. ``routes`` by rank."""
    classified = classify(program, asked.tenant, asked.service_tier or None, asked.model)
    if isinstance(classified, Refusal):
        return Answer("refuse", classified.code, classified.message, "", "", "", "none", (), ())
    state = new_state(program, route_salt="", seed=0, now=now)
    decision = admit(
        program,
        state,
        Request(
            request_id="try",
            tenant=asked.tenant,
            model=classified.model,
            tier=classified.tier,
            scale=classified.scale,
            prompt_tokens=asked.prompt_tokens,
            max_tokens=None,
            blocks=(),
            arrived=now,
            stickiness="try",
        ),
        now,
    )
    return Answer(
        verdict=decision.verdict,
        code=decision.code or "",
        message=decision.message,
        tier=decision.tier,
        route=decision.route or "",
        pool=decision.pool or "",
        reservation=decision.reservation,
        steps=tuple((step.rule, step.says) for step in decision.steps),
        routes=tuple(
            _consider(route, asked, classified.model, decision.tier, decision.route) for route in routes
        ),
    )


def _consider(route: Document, asked: Asked, model: str, tier: str, chosen: str | None) -> Considered:
    why = _in_the_way(route.spec.match, asked, model, tier)
    if route.name == chosen:
        return Considered(
            route.name, route.spec.rank, "chosen", why or "matches, and no route before it does"
        )
    state = "no" if why else "later"
    return Considered(route.name, route.spec.rank, state, why or "matches too, but comes later")


def _in_the_way(match: Any, asked: Asked, model: str, tier: str) -> str:
    """The first condition that is not met, in words; empty when all are."""
    if match.models and model not in match.models:
        return f"not for model {model}"
    if match.tiers and tier not in match.tiers:
        return f"not for tier {tier}"
    if match.tenants and not {asked.tenant, *ancestors(asked.tenant)} & set(match.tenants):
        return f"not for tenant {asked.tenant}"
    length = match.prompt_tokens
    if asked.prompt_tokens < length.min:
        return f"only prompts of {length.min:,} tokens or more"
    if length.max is not None and asked.prompt_tokens >= length.max:
        return f"only prompts below {length.max:,} tokens"
    return ""


def current_routes(environment: str) -> list[Document]:
    """Every route, the one that is asked first first."""
    revision = selectors.current_revision(environment)
    stored = sets.stored_set(revision.root_tree_id if revision else EMPTY)
    found = [document for (kind, _), document in stored.documents.items() if kind == "Route"]
    return sorted(found, key=lambda route: (route.spec.rank, route.name))


@dataclass(frozen=True, slots=True)
class Choices:
    """What a request can be made of."""

    tenants: tuple[str, ...]
    models: tuple[str, ...]
    """As clients name them."""
    service_tiers: tuple[str, ...]


def choices(environment: str) -> Choices:
    revision = selectors.current_revision(environment)
    stored = sets.stored_set(revision.root_tree_id if revision else EMPTY)
    documents = sorted(stored.documents.values(), key=lambda document: document.name)
    tiers = [name for d in documents if d.kind == "Tier" for name in (d.spec.service_tier or (d.name,))]
    return Choices(
        tenants=tuple(d.name for d in documents if d.kind == "Tenant"),
        models=tuple(d.spec.served_name or d.name for d in documents if d.kind == "Model"),
        service_tiers=("auto", *dict.fromkeys(tiers), "scale"),
    )
