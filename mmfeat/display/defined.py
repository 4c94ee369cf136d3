"""Plain values for JSON, which has no NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def defined(value: Any) -> Any:
    """Return plain values with null for every number that is not defined."""
    if isinstance(value, Mapping):
        return {name: defined(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [defined(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
