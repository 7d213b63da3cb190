"""What should a gateway find when it tries this policy before activating it?"""

from __future__ import annotations

from coordination.program.records import ProgramRecords, Vector


def self_test(records: ProgramRecords) -> list[Vector]:
    return []
