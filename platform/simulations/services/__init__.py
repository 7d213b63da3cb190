"""How does a simulation come to be, and to an end? One function for each change."""

from __future__ import annotations

from simulations.services.ending import cancel, settle
from simulations.services.profiles import remove_profile, upload_profile
from simulations.services.promoting import ANY, Promoted, promote
from simulations.services.starting import start
from simulations.services.traces import adopt_example, remove_trace, upload_trace

__all__ = [
    "ANY",
    "Promoted",
    "adopt_example",
    "cancel",
    "promote",
    "remove_profile",
    "remove_trace",
    "settle",
    "start",
    "upload_profile",
    "upload_trace",
]
