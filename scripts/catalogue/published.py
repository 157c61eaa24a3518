"""The date of a work, as a field of an entry."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from scripts.base.dates import PartialDate


def _partial_date(value: Any) -> PartialDate:
    if isinstance(value, PartialDate):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("date_type", "is not text")
    try:
        return PartialDate.parse(value)
    except ValueError as error:
        problem = {"problem": str(error)}
        raise PydanticCustomError("date_parsing", "{problem}", problem) from None


# Without quotes a year is a number to editors.
_IN_EDITORS = (
    {"type": "string", "format": "date"},
    {"type": "string", "pattern": "^[0-9]{4}(-(0[1-9]|1[0-2]))?$"},
    {"type": "integer", "minimum": 1000, "maximum": 9999},
)
Published = Annotated[
    PartialDate,
    PlainValidator(_partial_date),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"anyOf": [*_IN_EDITORS]}),
]
"""Read from text, and written as that; known to the day, the month or the year."""
