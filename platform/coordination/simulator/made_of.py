"""Of what are the replicas of each pool made? Of a given profile, where one was given for it."""

from __future__ import annotations

from collections.abc import Sequence

from coordination.capacity import PROFILES, Profile
from coordination.program.records import ProgramRecords


class MadeOfError(Exception):
    """Profiles that a policy's pools cannot be made of."""

    def __init__(self, code: str, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """``unknown_pool``, ``unused_profile``, ``unknown_profile``."""
        self.at = at
        """Which of the given profiles; None is the policy's own."""


def made_of(records: ProgramRecords, given: Sequence[tuple[str, Profile]]) -> dict[str, Profile]:
    """By pool, where it is not what the policy says of it.

    ``given``: (pool, profile); an empty pool means all whose document names the profile. The last that is
    given for a pool counts. Raises ``MadeOfError``: for a pool that there is not, for a profile that no pool
    names, and for a pool that is still of none the capacity model knows.
    """
    found: dict[str, Profile] = {}
    names = {pool.name for pool in records.pools}
    for at, (name, profile) in enumerate(given):
        pools = [name] if name else [pool.name for pool in records.pools if pool.profile == profile.name]
        if not pools:
            raise MadeOfError("unused_profile", f"no pool is of profile {profile.name}", at)
        if name and name not in names:
            raise MadeOfError("unknown_pool", f"there is no pool {name}", at)
        found.update(dict.fromkeys(pools, profile))
    for pool in records.pools:
        if pool.profile not in PROFILES and pool.name not in found:
            raise MadeOfError("unknown_profile", f"pool {pool.name}: profile {pool.profile} is not known")
    return found
