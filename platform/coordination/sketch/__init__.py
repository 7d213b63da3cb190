"""What were the percentiles, over any window and any set of machines?"""

from __future__ import annotations

from coordination.sketch.histogram import GROWTH, RELATIVE_ERROR, Sketch

__all__ = ["GROWTH", "RELATIVE_ERROR", "Sketch"]
