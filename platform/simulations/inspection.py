"""Will this file do as traffic, recorded or to be drawn? No Django here: it is asked of another process."""

from __future__ import annotations

from pathlib import Path

from coordination.simulator import WorkloadError
from coordination.simulator.generator import read_workload
from coordination.traces import Fault, Inspection, inspect

LARGEST_WORKLOAD = 1024 * 1024
"""Bytes of a description of traffic."""
WORKLOAD = "workload"


def look_at(path: str) -> Inspection:
    """As ``coordination.traces.inspect``; a JSON object without records is read as traffic to be drawn."""
    file = Path(path)
    found = inspect(file)
    if found.ok or found.size > LARGEST_WORKLOAD:
        return found
    data = file.read_bytes()
    if not data.lstrip().startswith(b"{") or b'"clients"' not in data:
        return found
    try:
        workload = read_workload(data)
    except WorkloadError as error:
        return Inspection("", found.digest, found.size, faults=(Fault(0, str(error)),))
    return Inspection(WORKLOAD, found.digest, found.size, workload.requests)
