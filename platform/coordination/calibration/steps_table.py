"""Steps that somebody timed one by one: a table with a row for each.

Columns, in any order: ``batch`` (sequences that decode one token), ``prefill_tokens`` (prompt tokens
computed), ``context`` (contexts of the decodes, summed), ``seconds``; optionally ``prefill_context`` (tokens
before those of the prefill, 0 where it is missing).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from math import isfinite
from typing import Final

from coordination.calibration.evidence import EvidenceError, Seen
from coordination.capacity import StepModel

COLUMNS: Final = ("batch", "prefill_tokens", "context", "seconds")
OPTIONAL: Final = "prefill_context"
MOST_ROWS: Final = 200_000
LONGEST: Final = 3600.0
"""Seconds no step takes."""
LARGEST: Final = 10**12


def is_header(line: str) -> bool:
    """Whether a first line opens such a table."""
    return {"batch", "seconds"} <= {part.strip() for part in line.split(",")}


class StepsTable:
    """Evidence of single steps. Every fifth row is held out."""

    source = "steps"
    extra = None

    def __init__(self, file: str, lines: Iterable[str]) -> None:
        """Raises ``EvidenceError``."""
        self._rows: list[tuple[int, float, int, int]] = []
        self.measured: list[float] = []
        most_batch = most_prefill = most_context = 0
        rows = csv.reader(lines)
        try:
            header = [part.strip() for part in next(rows, [])]
            for column in (*COLUMNS, *header):
                if header.count(column) != 1 or column not in (*COLUMNS, OPTIONAL):
                    raise EvidenceError(file, 1, f"columns must be {','.join(COLUMNS)}[,{OPTIONAL}]")
            for row in rows:
                if not row:
                    continue
                line = rows.line_num
                if len(self._rows) >= MOST_ROWS:
                    raise EvidenceError(file, line, f"more than {MOST_ROWS} steps: give a sample of them")
                if len(row) != len(header):
                    raise EvidenceError(file, line, f"{len(row)} cells under {len(header)} columns")
                cells = dict(zip(header, row, strict=True))
                batch, prefill, context = (_count(file, line, cells[name]) for name in COLUMNS[:3])
                before = _count(file, line, cells.get(OPTIONAL, "0"))
                seconds = _seconds(file, line, cells["seconds"])
                if not batch and not prefill:
                    raise EvidenceError(file, line, "a step of nothing")
                attended = prefill * (before + prefill / 2)
                self._rows.append((batch + prefill, attended, batch, context))
                self.measured.append(seconds)
                most_batch, most_prefill = max(most_batch, batch), max(most_prefill, prefill)
                most_context = max(most_context, before + prefill, context // batch if batch else 0)
        except csv.Error as problem:
            raise EvidenceError(file, rows.line_num, str(problem)) from None
        count = len(self._rows)
        self.names = ["step"] * count
        self.held_out = [position % 5 == 4 for position in range(count)]
        self.seen = Seen(most_batch, most_prefill, most_context)
        self.notes: tuple[str, ...] = ()

    def replayed(self, model: StepModel, extra: float) -> dict[str, tuple[list[float], list[float]]]:
        del model, extra
        return {}

    def expected(self, model: StepModel, extra: float) -> list[float]:
        del extra
        return [model.seconds(*row) for row in self._rows]


def _count(file: str, line: int, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise EvidenceError(file, line, f"`{text[:40]}` is not a whole number") from None
    if not 0 <= value <= LARGEST:
        raise EvidenceError(file, line, f"`{text[:40]}` is not between 0 and 10^12")
    return value


def _seconds(file: str, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise EvidenceError(file, line, f"`{text[:40]}` is not a number") from None
    if not isfinite(value) or not 0 < value <= LONGEST:
        raise EvidenceError(file, line, f"`{text[:40]}` is not between 0 and {LONGEST:g} seconds")
    return value
