"""The OpenAPI description laid out for a page: plain values that its template only has to show."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from markdown_it import MarkdownIt

from mailape.api.schema import openapi


@lru_cache(maxsize=1)
def page() -> dict[str, Any]:
    """What the template shows; the same for the life of the process."""
    description = openapi()
    schemas = description["components"]["schemas"]
    return {
        "version": description["info"]["version"],
        "introduction": MarkdownIt().render(description["info"]["description"]),
        "groups": [_group(tag, description) for tag in description["tags"]],
        "things": [
            {"name": name, "text": _line(schema), "fields": _fields(schema)}
            for name, schema in sorted(schemas.items())
            if schema.get("properties") and not name.endswith(("Request", "Page"))
        ],
        "words": [
            {"name": name, "values": schema["enum"]}
            for name, schema in sorted(schemas.items())
            if "enum" in schema
        ],
    }


def _group(tag: dict[str, str], description: dict[str, Any]) -> dict[str, Any]:
    operations = [
        _operation(method, path, operation, description)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if tag["name"] in operation["tags"]
    ]
    return {**tag, "operations": operations}


def _operation(
    method: str, path: str, operation: dict[str, Any], description: dict[str, Any]
) -> dict[str, Any]:
    body = _body(operation, description)
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "text": MarkdownIt().render(operation["description"]),
        "parameters": [
            _field(p["name"], p, p.get("required")) for p in operation.get("parameters", [])
        ],
        "fields": _fields(body),
        "answers": [
            _answer(status, answer, description)
            for status, answer in operation["responses"].items()
        ],
        "example": _example(method, path, operation),
    }


def _body(operation: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    if "requestBody" not in operation:
        return {}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return dict(_resolved(schema, description))


def _resolved(node: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    for step in node["$ref"].removeprefix("#/").split("/"):
        description = description[step]
    return description


def _answer(status: str, answer: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    found = _resolved(answer, description)
    schemas = [kind["schema"] for kind in found.get("content", {}).values()]
    return {"status": status, "text": found["description"], "thing": _of(schemas, description)}


def _of(schemas: list[dict[str, Any]], description: dict[str, Any]) -> str:
    """The name of what an answer shows, a page being named by its rows."""
    if not schemas:
        return ""
    rows = _resolved(schemas[0], description).get("properties", {}).get("results")
    return _ref(rows["items"] if rows else schemas[0])


def _ref(node: dict[str, Any]) -> str:
    one = (node.get("allOf") or [node])[0]
    return str(one.get("$ref", "")).rpartition("/")[2]


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        _field(name, {"schema": found, "description": _line(found)}, name in required)
        for name, found in schema.get("properties", {}).items()
    ]


def _line(schema: dict[str, Any]) -> str:
    # Without the list of values that the generator writes behind it.
    return str(schema.get("description", "")).partition("\n\n*")[0].partition("* `")[0]


def _field(name: str, found: dict[str, Any], required: Any) -> dict[str, Any]:
    schema = found["schema"]
    inner = schema.get("items", {})
    kind = _ref(schema) or _ref(inner) or _kind(schema)
    return {
        "name": name,
        "kind": kind,
        "is_thing": bool(_ref(schema) or _ref(inner)),
        "many": bool(inner),
        "values": schema.get("enum", []),
        "required": bool(required),
        "text": found.get("description", ""),
    }


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("items", schema).get("type", "")
    kinds = [kind] if isinstance(kind, str) else kind
    return " or ".join([schema.get("format", one) if one == "string" else one for one in kinds])


def _example(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"curl {settings.SITE_URL}{path} \\", "  -H 'Authorization: Bearer TOKEN'"]
    if method != "get":
        lines[0] = lines[0].replace("curl ", f"curl -X {method.upper()} ")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    for example in list(content.get("examples", {}).values())[:1]:
        text = json.dumps(example["value"], ensure_ascii=False)
        lines[-1] += " \\"
        lines += ["  -H 'Content-Type: application/json' \\", f"  -d '{text}'"]
    return "\n".join(lines)
