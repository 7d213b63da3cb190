"""What does an object hold, so that two can be compared that are equal to none but themselves?"""

from __future__ import annotations

from typing import Any


def spelled(value: Any) -> Any:
    """Plain objects as their class and members, in lists and mappings too; the rest as it is."""
    if isinstance(value, dict):
        return {key: spelled(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [spelled(one) for one in value]
    own = vars(type(value))
    members = own.get("__slots__") or own.get("__mypyc_attrs__")  # what was compiled keeps no slots
    if isinstance(members, tuple):
        return type(value).__name__, {name: spelled(getattr(value, name)) for name in sorted(members)}
    return value
