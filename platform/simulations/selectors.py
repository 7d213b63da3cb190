"""What traffic is there, and what was simulated? Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models import Prefetch, QuerySet, Sum

from policies.models import ChangeSet
from simulations.models import (
    OPEN,
    MadeOf,
    Promotion,
    ReleasedRevision,
    Run,
    Scenario,
    Simulation,
    State,
    StoredProfile,
    Trace,
)

EXAMPLE_FILE = "trace.jsonl"
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Example:
    """A trace that came with the product."""

    name: str
    path: Path


def examples() -> list[Example]:
    """By name. Their folders may be missing from an installation."""
    found = sorted(Path(settings.HEADWAY_EXAMPLES).glob(f"*/{EXAMPLE_FILE}"))
    return [Example(path.parent.name, path) for path in found]


def example(name: str) -> Example | None:
    """Found among those there are: the name is never a path."""
    return next((each for each in examples() if each.name == name), None)


def traces(environment: str) -> QuerySet[Trace]:
    """Newest first."""
    return Trace.objects.filter(environment=environment, removed_at=None).order_by("-id")


def trace(environment: str, number: int) -> Trace | None:
    return traces(environment).filter(pk=number).first() if number <= LARGEST_ID else None


def profiles(environment: str) -> QuerySet[StoredProfile]:
    """Newest first, without their files."""
    kept = StoredProfile.objects.filter(environment=environment, removed_at=None)
    return kept.defer("body").order_by("-id")


def profile(environment: str, number: int) -> StoredProfile | None:
    return profiles(environment).filter(pk=number).first() if number <= LARGEST_ID else None


def made_of(scenario: Scenario) -> list[MadeOf]:
    """What its replicas are made of, in the order it was given; profiles without their files."""
    return list(_with_profiles(scenario.made_of.all()))


def _with_profiles(rows: QuerySet[MadeOf]) -> QuerySet[MadeOf]:
    return rows.select_related("profile").defer("profile__body").order_by("position")


def bytes_kept() -> int:
    """Of all uploaded traces; one that several environments have counts as often."""
    rows = Trace.objects.filter(removed_at=None, source=Trace.Source.UPLOADED)
    return int(rows.aggregate(all=Sum("size"))["all"] or 0)


def simulations(environment: str, *, state: str = "", change_set: int | None = None) -> QuerySet[Simulation]:
    """Newest first, without their reports; an empty argument does not filter."""
    found = (
        Simulation.objects.filter(environment=environment)
        .select_related("scenario", "scenario__trace")
        .prefetch_related(Prefetch("scenario__made_of", queryset=_with_profiles(MadeOf.objects.all())))
        .defer("result")
        .order_by("-id")
    )
    if state:
        found = found.filter(state=state)
    return found if change_set is None else found.filter(scenario__change_set=change_set)


def simulation(environment: str, number: int) -> Simulation | None:
    if number > LARGEST_ID:
        return None
    rows = Simulation.objects.filter(environment=environment)
    return rows.select_related("scenario", "scenario__trace").filter(pk=number).first()


def runs(simulation: Simulation) -> list[Run]:
    """By position, without their reports."""
    return list(simulation.runs.defer("report").order_by("position"))


def promotions(simulation: Simulation) -> dict[float | None, Promotion]:
    """What of it is in change sets that are still open, by value; None is its whole policy."""
    rows = simulation.promotions.filter(change_set__state=ChangeSet.State.OPEN)
    return {row.value: row for row in rows.select_related("change_set")}


def promoted_into(change_set: ChangeSet) -> QuerySet[Promotion]:
    """Which simulations a change set comes from, newest first."""
    found = Promotion.objects.filter(change_set=change_set).select_related("simulation__scenario__trace")
    return found.defer("simulation__result").order_by("-id")


def open_simulations(environment: str) -> int:
    return Simulation.objects.filter(environment=environment, state__in=OPEN).count()


def anybody_works() -> bool:
    """Whether some run is being simulated right now."""
    return Run.objects.filter(state=State.RUNNING).exists()


def released(environment: str) -> ReleasedRevision | None:
    return ReleasedRevision.objects.filter(pk=environment).first()
