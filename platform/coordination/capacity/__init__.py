"""What can one replica do? Step times, prefill floors and KV room, from an accelerator profile."""

from coordination.capacity.block_cache import BlockCache
from coordination.capacity.chain_lru import ChainLru
from coordination.capacity.profiles import PROFILES, Profile
from coordination.capacity.steps import (
    CHUNK_TOKENS,
    StepModel,
    StepTable,
    decode_run,
    prefill_floor,
    step_model,
    step_table,
    step_time,
)

__all__ = [
    "CHUNK_TOKENS",
    "PROFILES",
    "BlockCache",
    "ChainLru",
    "Profile",
    "StepModel",
    "StepTable",
    "decode_run",
    "prefill_floor",
    "step_model",
    "step_table",
    "step_time",
]
