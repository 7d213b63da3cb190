"""Does the policy let stand what administrators set for their teams? As lines of the metrics page."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from coordination.program.teams import TeamCode
from gateway.coordinator import Coordinator


def teams_page(coordinator: Coordinator) -> bytes:
    """Every code has its line, so that an alert on one exists before it is needed."""
    counts = Counter(refused.code for refused in coordinator.teams_refused())
    name = "headway_team_shares_refused"
    lines = [
        f"# HELP {name} Weights and limits of teams in the directory that the policy does not let stand.",
        f"# TYPE {name} gauge",
        *(f'{name}{{code="{code}"}} {counts[code]}' for code in get_args(TeamCode)),
    ]
    return ("\n".join(lines) + "\n").encode()
