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


def innermost(error: BaseException) -> str:
    """File and line an error was raised at: enough to find it, with none of the values in it."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else ""
