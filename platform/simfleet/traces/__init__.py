"""Which requests did a real fleet see, and when? Streaming readers of public traces, and their prompts."""

from simfleet.traces.prompts import BLOCK_BYTES, prompt_text, words
from simfleet.traces.reader import read_trace
from simfleet.traces.records import BLOCK_TOKENS, TraceError, TraceRequest
from simfleet.traces.tenants import tenant_index

__all__ = [
    "BLOCK_BYTES",
    "BLOCK_TOKENS",
    "TraceError",
    "TraceRequest",
    "prompt_text",
    "read_trace",
    "tenant_index",
    "words",
]
