"""What does the supervisor tell the console about the processes? ``var/processes.json``, replaced whole."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headway.up.child import Child

NAME = "processes.json"


def write_processes(var: Path, children: Sequence[Child]) -> None:
    """Replace the file in one step: a reader sees the old or the new, never half."""
    replace_private(var / NAME, {"supervisor": os.getpid(), "processes": [_row(child) for child in children]})


def _row(child: Child) -> dict[str, Any]:
    since = time.time() - (time.monotonic() - child.started_at)
    return {
        "name": child.spec.name,
        "what": child.spec.what,
        "address": child.spec.address,
        "pid": child.pid,
        "running": child.running,
        "since": round(since, 3) if child.running else None,
        "restarts": child.restarts,
        "last_exit": child.last_exit,
    }


def replace_private(path: Path, content: Any) -> None:
    """Write ``content`` as JSON to ``path``, mode 0600 from its first byte, by one rename."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(content, out, indent=2)
        out.write("\n")
    aside.replace(path)
