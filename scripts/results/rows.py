"""Results as JSON, a row of a table a line, so that a diff shows what has changed.

Needs nothing but Python: where a GPU is lent, pydantic may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def as_rows(fields: Mapping[str, Any]) -> str:
    """Write single values and tables, given by name."""
    lines = [f"  {json.dumps(name)}: {_value(value)}" for name, value in fields.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value, ensure_ascii=False)
    rows = [f"    {json.dumps(row, ensure_ascii=False)}" for row in value]
    return "[\n" + ",\n".join(rows) + "\n  ]"
