"""Which requests did a real fleet see, and when? Readers of public traces and our recordings."""

from coordination.traces.inspection import Fault, Inspection, inspect
from coordination.traces.reader import read_trace
from coordination.traces.records import BLOCK_TOKENS, Sender, TraceError, TraceRequest
from coordination.traces.tenants import tenant_index

__all__ = [
    "BLOCK_TOKENS",
    "Fault",
    "Inspection",
    "Sender",
    "TraceError",
    "TraceRequest",
    "inspect",
    "read_trace",
    "tenant_index",
]
