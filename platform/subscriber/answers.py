"""What did the console say to something it was told, other than yes?"""

from __future__ import annotations

from coordination.bundle.refusals import Refused, RefusedError


class Answered(RefusedError):
    """The console was reached, and said no."""

    def __init__(self, status: int, refused: Refused) -> None:
        super().__init__(refused)
        self.status = status

    @property
    def for_good(self) -> bool:
        """Sending the same again would be refused again."""
        return self.status in (400, 413, 422)
