"""What would this policy have done with that traffic? The rules that serve, under a virtual clock."""

from coordination.simulator.collecting import calm_collector
from coordination.simulator.comparing import compare, interval
from coordination.simulator.generator import Traffic, Workload, WorkloadError, generate
from coordination.simulator.loop import Simulation
from coordination.simulator.made_of import MadeOfError, made_of
from coordination.simulator.promises import Promise, carried_by, gates_of, objectives_of, verdict_of
from coordination.simulator.report import report
from coordination.simulator.settings import Client, Mix, Settings, even_mix
from coordination.simulator.study import Study, simulate
from coordination.simulator.workload import Arrival, from_trace

__all__ = [
    "Arrival",
    "Client",
    "MadeOfError",
    "Mix",
    "Promise",
    "Settings",
    "Simulation",
    "Study",
    "Traffic",
    "Workload",
    "WorkloadError",
    "calm_collector",
    "carried_by",
    "compare",
    "even_mix",
    "from_trace",
    "gates_of",
    "generate",
    "interval",
    "made_of",
    "objectives_of",
    "report",
    "simulate",
    "verdict_of",
]
