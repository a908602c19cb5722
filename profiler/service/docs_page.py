# SPDX-License-Identifier: GPL-2.0-only
"""``/docs``: the OpenAPI description as a plain page, which needs neither scripts nor a network."""

from html import escape
from typing import Any


def render(description: dict[str, Any]) -> bytes:
    """The whole page, from an OpenAPI document."""
    info = description["info"]
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])} API</title>"
        '<link rel="stylesheet" href="docs.css"></head><body><main>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info.get('summary', ''))}</p>"
        '<p><a href="openapi.json">openapi.json</a> says the same to programs. '
        '<a href="./">The live page</a></p>'
        f"{operations}</main></body></html>"
    ).encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(_parameter(one) for one in operation.get("parameters", ()))
    if parameters:
        parameters = (
            "<table><thead><tr><th>parameter</th><th>in</th><th>meaning</th></tr></thead>"
            f"<tbody>{parameters}</tbody></table>"
        )
    answers = "".join(_answer(status, answer) for status, answer in operation["responses"].items())
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation['summary'])}</p>{parameters}"
        "<table><thead><tr><th>status</th><th>meaning</th><th>content</th></tr></thead>"
        f"<tbody>{answers}</tbody></table></section>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    limits = ", ".join(
        f"{words} {schema[key]}"
        for key, words in (
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("default", "by default"),
        )
        if schema.get(key) not in (None, "")
    )
    meaning = ": ".join(part for part in (parameter.get("description", ""), limits) if part)
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{parameter['in']}</td>"
        f"<td>{escape(meaning)}</td></tr>"
    )


def _answer(status: str, answer: dict[str, Any]) -> str:
    kinds = ", ".join(answer.get("content", {}))
    return (
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td>"
        f"<td><code>{escape(kinds)}</code></td></tr>"
    )
