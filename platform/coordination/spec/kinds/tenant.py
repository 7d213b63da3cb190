"""Tenant: who asks. Its name is its full path; the parent is the part before the last slash."""

from collections.abc import Iterator
from typing import Annotated

from coordination.spec.declaration import Block
from coordination.spec.notation import Items, Reference, Table, Text
from coordination.spec.zones import Zone

LABEL_KEY = Text(100, r"[A-Za-z0-9][A-Za-z0-9._/-]*", "a label such as `team`")
LABELS = Table(LABEL_KEY, Text(200), most=50)


class Tenant(Block, frozen=True, kw_only=True):
    """A customer, a team or an application, with what it is entitled to."""

    display_name: Annotated[str | None, Text(200), "The name people read; by default the object's name."] = (
        None
    )
    tiers: Annotated[tuple[str, ...], Items(Reference("Tier"), least=1), "Tiers its requests may ask for."]
    default_tier: Annotated[
        str | None, Reference("Tier"), "The tier of requests that name none; by default the first of `tiers`."
    ] = None
    contacts: Annotated[
        tuple[str, ...],
        Items(Text(200), most=50),
        "Whom to tell about it: addresses, channels, on-call rotas.",
    ] = ()
    zone: Annotated[str, Zone(), "Time zone in which its days and months begin."] = "UTC"
    labels: Annotated[dict[str, str], LABELS, "Free-form facts about it."] = {}


def ancestors(path: str) -> Iterator[str]:
    """The tenants above one, nearest first: ``a/b/c`` -> ``a/b``, ``a``."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
