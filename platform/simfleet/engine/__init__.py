"""One replica's engine as a value: batch scheduler and prefix cache, without clock or network."""

from simfleet.engine.batching import Engine, Outcome, Sequence, Step, Work

__all__ = ["Engine", "Outcome", "Sequence", "Step", "Work"]
