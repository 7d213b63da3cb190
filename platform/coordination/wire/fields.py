"""What may the values in messages look like? Bounds that hold for every message."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Natural = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A count, an amount of tokens or money, or microseconds since 1970: exact in every JSON reader."""
Name = Annotated[str, Meta(max_length=300)]
"""A document's name, a tenant's path, a replica's base URL."""
Code = Annotated[str, Meta(min_length=1, max_length=64)]
"""A machine-readable reason, such as ``rate_limit_exceeded``."""
RequestId = Annotated[str, Meta(pattern=r"^req_[0-9A-HJKMNP-TV-Z]{26}\Z")]
"""Made by the gateway; never what a client called its request."""
BootId = Annotated[str, Meta(min_length=1, max_length=64)]
"""Changes with each start of a gateway."""
