"""How is what a tenant gets divided among its teams, and what would moving a share change?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from coordination.spec.quantities import MILLION, write_ppm
from portal.selectors.contract import Contract

OWN_TRAFFIC = MILLION
"""Weight of the requests a tenant sends itself, beside its teams' (R15)."""
LEAST = MILLION // 100
"""What stays with a team at least: it is slowed by a move, never starved."""


@dataclass(frozen=True, slots=True)
class Team:
    """One team beside its siblings."""

    name: str
    display_name: str
    weight: int
    written: int
    """What the policy gives it."""
    percent: float
    """Of what its parent gets while every one of them has work."""

    @property
    def short(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def weight_text(self) -> str:
        return write_ppm(self.weight)

    @property
    def written_text(self) -> str:
        return write_ppm(self.written)

    @property
    def moved(self) -> bool:
        return self.weight != self.written


@dataclass(frozen=True, slots=True)
class Division:
    """The teams right below one tenant."""

    parent: str
    teams: tuple[Team, ...]
    own_percent: float

    @property
    def version(self) -> str:
        """Changes whenever a weight does: what a move is made against."""
        told = "\n".join(f"{team.name}={team.weight}" for team in self.teams)
        return hashlib.sha256(told.encode()).hexdigest()[:20]


def weights(contract: Contract, moved: Mapping[str, int], parent: str) -> dict[str, int]:
    """Team -> weight in force: what was moved stands over what the policy says."""
    return {team: moved.get(team, contract.written_weight(team)) for team in contract.teams(parent)}


def division(contract: Contract, parent: str, in_force: Mapping[str, int]) -> Division:
    whole = sum(in_force.values()) + OWN_TRAFFIC
    teams = tuple(
        Team(
            name=name,
            display_name=str(contract.below[name].spec.display_name or name.rpartition("/")[2]),
            weight=weight,
            written=contract.written_weight(name),
            percent=weight * 100 / whole,
        )
        for name, weight in in_force.items()
    )
    return Division(parent, teams, OWN_TRAFFIC * 100 / whole)


def after(in_force: Mapping[str, int], giver: str, taker: str, amount: int) -> dict[str, int]:
    """The weights once ``amount`` has moved; their sum is what it was."""
    return {**in_force, giver: in_force[giver] - amount, taker: in_force[taker] + amount}
