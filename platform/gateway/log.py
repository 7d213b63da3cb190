"""What happened, one JSON line an event on stderr. Never a prompt, never a key."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import orjson


def log(event: str, /, **facts: Any) -> None:
    """Write one line. ``event`` is a stable name; ``facts`` must be JSON-ready."""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
    sys.stderr.buffer.write(orjson.dumps(line, default=str) + b"\n")
    sys.stderr.buffer.flush()
