"""Documents as OneFlow prints them: Ruby's pretty JSON, and no private notes. It decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zonebox.oneflow.service import PRIVATE_KEY
from zonebox.ports import Body


def pretty(value: Any, indent: str = "") -> str:
    """JSON with two blanks a level; an empty array takes three lines, an empty object two (recorded)."""
    inner = indent + "  "
    if isinstance(value, Mapping):
        if not value:
            return f"{{\n{indent}}}"
        lines = ",\n".join(
            f"{inner}{json.dumps(str(key), ensure_ascii=False)}: {pretty(item, inner)}" for key, item in value.items()
        )
        return f"{{\n{lines}\n{indent}}}"
    if isinstance(value, list):
        if not value:
            return f"[\n\n{indent}]"
        lines = ",\n".join(f"{inner}{pretty(item, inner)}" for item in value)
        return f"[\n{lines}\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def document(body: Body) -> str:
    """One document."""
    return pretty({"DOCUMENT": public(body)})


def pool(documents: list[Body]) -> str:
    """A document pool, newest first (recorded); an empty one has no DOCUMENT key."""
    if not documents:
        return pretty({"DOCUMENT_POOL": {}})
    newest_first = sorted(documents, key=lambda item: int(item["ID"]), reverse=True)
    return pretty({"DOCUMENT_POOL": {"DOCUMENT": [public(item) for item in newest_first]}})


def public(body: Body) -> Body:
    """A document without OneFlow's private notes."""
    template = body.get("TEMPLATE") or {}
    inner = template.get("BODY")
    if not isinstance(inner, Mapping) or PRIVATE_KEY not in inner:
        return body
    shown = {key: value for key, value in inner.items() if key != PRIVATE_KEY}
    return {**body, "TEMPLATE": {**template, "BODY": shown}}
