"""Fields that are unknown, missing or of the wrong kind, in words for contributors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from scripts.catalogue.document import BROKEN, Document
from scripts.catalogue.faults import Finding, Path, did_you_mean, quote
from scripts.catalogue.names import Organisation

Models = Mapping[str, type[BaseModel]]
"""The model of each section's entries; under "" that of the whole file."""

_EXPECTED = {
    "date_type": "text",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}


def findings(
    error: ValidationError, document: Document, models: Models
) -> Iterator[Finding]:
    """Tell in our words what pydantic has found.

    Dates that are text are left to the rules, which know more about them.
    """
    for fault in error.errors(include_url=False, include_context=False):
        path, kind, value = _plain(fault["loc"]), fault["type"], fault["input"]
        told_already = value is BROKEN and kind != "extra_forbidden"
        left_to_the_rules = kind.startswith("date") and isinstance(value, str)
        if not (told_already or left_to_the_rules):
            yield _finding(path, kind, value, document, models)


def _plain(path: Path) -> Path:
    # Behind an author, pydantic names the kind that it took the author for.
    return path[:4] + path[5:] if path[2:3] == ("authors",) else path


def _finding(
    path: Path, kind: str, value: Any, document: Document, models: Models
) -> Finding:
    match kind:
        case "extra_forbidden":
            return _unknown(path, document, models)
        case "missing":
            fix = f"add a line such as {_example(path, models)}"
            return Finding(path, "is missing", fix)
        case "literal_error":
            return Finding(path, f"cannot be {quote(value)}", _choice(path, models))
        case _:
            problem = f"is {_kind(value)}, not {_EXPECTED[kind]}"
            return Finding(path, problem, _right_kind(path, models))


def _unknown(path: Path, document: Document, models: Models) -> Finding:
    *container, name = path
    fields = list(_model(path, models).model_fields)
    kind = f"a field of {path[0]}" if container else "a section"
    otherwise = f"known are {', '.join(fields)}"
    if len(path) > 3:
        kind, otherwise = "a field of an author", "a person's name is plain text"
    fix = did_you_mean(str(name), fields, otherwise)
    return Finding(path, f"is not {kind}", fix, document.key_position(path))


def _choice(path: Path, models: Models) -> str:
    field = _model(path, models).model_fields[str(path[2])]
    if field.is_required():
        *others, last = get_args(field.annotation)
        return f"write {', '.join(others)} or {last}"
    return f"write {_example(path, models)}, or remove the line"


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    return {str: "text", list: "a list", dict: "a mapping"}[type(value)]


def _right_kind(path: Path, models: Models) -> str:
    if not path:
        return f"begin with the sections {', '.join(models[''].model_fields)}"
    if len(path) == 2 and path[0] in models:
        return 'write its fields one per line, the first as "- id: …"'
    return f"write it as in {_example(path, models)}"


def _example(path: Path, models: Models) -> str:
    # The section itself, a field of an entry, or one of an author.
    in_entry = len(path) > 2 and path[0] in models
    name = str(path[(2 if len(path) < 5 else 4) if in_entry else 0])
    examples = _model(path, models).model_fields[name].examples or []
    return f'"{name}: {_yaml(examples[0])}"'


def _model(path: Path, models: Models) -> type[BaseModel]:
    """Return the model that has the field at this path."""
    if len(path) > 4:
        return Organisation
    return models[str(path[0]) if len(path) > 2 and path[0] in models else ""]


def _yaml(value: Any) -> str:
    match value:
        case list():
            return f"[{', '.join(value)}]"
        case dict():
            items = (f"{key}: {_yaml(text)}" for key, text in value.items())
            return f"{{{', '.join(items)}}}"
        case _:
            return value
