"""What runs right now? Asked of the processes themselves, never remembered."""

from pathlib import Path


def overview(*, admin_url: str, processes_file: Path) -> None:
    return None


def served_models(*, admin_url: str) -> list[str]:
    return []
