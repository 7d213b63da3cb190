"""Which shares were moved?"""

from __future__ import annotations

from tenancy.models import TeamShare


def moved(environment: str, parent: str) -> dict[str, int]:
    """Team -> weight, of those below ``parent`` whose weight was moved."""
    rows = TeamShare.objects.filter(environment=environment, tenant__startswith=f"{parent}/")
    return dict(rows.values_list("tenant", "weight_ppm"))
