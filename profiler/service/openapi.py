# SPDX-License-Identifier: GPL-2.0-only
"""The OpenAPI description, with the JSON schemas of the command line in it."""

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .problems import Problem, documented

_SCHEMAS = {
    "Profile": ("profiler.reports", "profile"),
    "Check": ("profiler.reports", "check"),
    "History": ("profiler.service", "history"),
}


def install(app: FastAPI) -> None:
    """Make the description now, while the schemas can be read; ``/openapi.json`` gives it."""
    description = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for methods in description["paths"].values():
        for operation in methods.values():
            if "422" in operation["responses"]:  # the framework's own; ours is a Problem
                operation["responses"]["422"] = documented(422)[422]
    schemas["Problem"] = Problem.model_json_schema()
    schemas.update(components())
    app.openapi = lambda: description  # type: ignore[method-assign]


def components() -> dict[str, Any]:
    """The schemas; what each defines for itself becomes a component of its own."""
    loaded = {}
    for name, (package, stem) in _SCHEMAS.items():
        path = files(package).joinpath("schema", f"{stem}.schema.json")
        loaded[name] = json.loads(path.read_text())
    by_id = {schema["$id"]: name for name, schema in loaded.items()}
    found: dict[str, Any] = {}
    for name, schema in loaded.items():
        own = _moved(schema, name, by_id)
        for inner, definition in own.pop("$defs", {}).items():
            found[f"{name}_{inner}"] = definition
        own.pop("$schema", None)
        own.pop("$id", None)
        found[name] = own
    return found


def _moved(value: Any, name: str, by_id: dict[str, str]) -> Any:
    """With its references pointing into ``#/components/schemas``."""
    if isinstance(value, list):
        return [_moved(item, name, by_id) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _moved(item, name, by_id) for key, item in value.items()}
    reference = found.get("$ref")
    if isinstance(reference, str):
        target, _, fragment = reference.partition("#")
        owner = by_id[target] if target else name
        inner = fragment.removeprefix("/$defs/") if fragment else ""
        found["$ref"] = f"#/components/schemas/{owner}" + (f"_{inner}" if inner else "")
    return found
