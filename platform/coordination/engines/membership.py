"""Which replicas does a name stand for now, and what has changed?

What a resolver answered becomes base URLs: one an address, each once, in order, so that two gateways that
got the same addresses know the same replicas. Who is in an answer joins at once; who is in none of two in a
row has left, since some servers name only a part of many addresses at a time. A failed or empty answer
changes nothing: replicas that are gone are found out by their health, and forgetting all of them would turn a
trouble of the DNS into an outage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from coordination.program.records import Micros

MOST_MEMBERS: Final = 1000
"""Of one name; as many as a list of URLs may have."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is known of one name."""

    members: tuple[str, ...] = ()
    """Base URLs, sorted."""
    leaving: tuple[str, ...] = ()
    """Of those, who was not in the last answer."""
    at: Micros | None = None
    """When it was last answered."""
    failing_since: Micros | None = None
    problem: str | None = None
    """Why the last question brought nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an answer altered."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


class Unresolved(ValueError):
    """An answer without a usable address; the message says why."""


def resolved(before: Resolved, addresses: Iterable[str], port: int, now: Micros) -> tuple[Resolved, Change]:
    """Take over an answer. Raises ``Unresolved`` if it has no address that can be a replica's."""
    urls: set[str] = set()
    left_out: str | None = None
    for address in addresses:
        url = _url(address, port)
        if url is None:
            left_out = address
        else:
            urls.add(url)
    if not urls:
        raise Unresolved(f"{left_out} cannot be a replica" if left_out else "no addresses")
    if len(urls) > MOST_MEMBERS:
        raise Unresolved(f"more than {MOST_MEMBERS} addresses")
    leaving = {url for url in before.members if url not in urls and url not in before.leaving}
    members = tuple(sorted(urls | leaving))
    change = Change(
        tuple(url for url in members if url not in before.members),
        tuple(url for url in before.members if url not in members),
    )
    return Resolved(members, tuple(sorted(leaving)), now), change


def failing(before: Resolved, problem: str, now: Micros) -> Resolved:
    """The last answer stays."""
    since = before.failing_since if before.failing_since is not None else now
    return replace(before, failing_since=since, problem=problem)


def _url(address: str, port: int) -> str | None:
    """``None`` for what no replica has: addresses of a link (where clouds keep their secrets), of groups,
    of nobody."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        return None
    return f"http://[{found}]:{port}" if found.version == 6 else f"http://{found}:{port}"
