"""What is on each screen? One module for each part of the console."""

from __future__ import annotations

from console.views.start import broken, forbidden, not_found

__all__ = ["broken", "forbidden", "not_found"]
