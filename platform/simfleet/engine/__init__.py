"""One replica's engine as a value: batch scheduler and prefix cache, without clock or network."""

from simfleet.engine.batching import Engine, Outcome, Sequence, Step, Work
from simfleet.engine.cache import BlockCache

__all__ = ["BlockCache", "Engine", "Outcome", "Sequence", "Step", "Work"]
