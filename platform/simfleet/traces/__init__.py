"""Which text does a trace's request carry, and what does a small trace of our own look like?"""

from simfleet.traces.prompts import BLOCK_BYTES, prompt_text, words

__all__ = ["BLOCK_BYTES", "prompt_text", "words"]
