"""Whose request is this? The public traces name no tenant, so one is drawn from the conversation."""

from __future__ import annotations

import xxhash

from coordination.traces.records import TraceRequest


def tenant_index(request: TraceRequest, tenants: int) -> int:
    """The tenant, 0 to ``tenants`` - 1, by hash of the second block (the first if there is one only).

    The first block is a system prompt that (nearly) every request shares; the second tells
    conversations apart, so that all turns of one belong to one tenant. Without blocks, the line
    decides.
    """
    if len(request.blocks) > 1:
        key = request.blocks[1]
    elif request.blocks:
        key = request.blocks[0]
    else:
        key = request.line
    return xxhash.xxh3_64_intdigest(b"%d" % key) % tenants
