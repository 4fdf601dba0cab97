"""What `pulumi preview --json` says about one stack, as Markdown that a reviewer reads in a pull request.

It runs nothing and reads no file. It never prints a value that the engine marked secret, nor one that looks like key
material: those appear as a mark, so that a report can be pasted anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

# The engine's JSON writes secrets and unknown values as these texts (seen with CLI 3.259.0, 2026-11-24; the unknown
# sentinel is a constant of Pulumi's wire format).
SECRET_TEXT = "[secret]"  # noqa: S105 - what stands in for a secret
UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

_KEY_MATERIAL = re.compile(
    r"PRIVATE KEY|UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW"
)  # in clear, and base64 at each offset
_PATH_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\.?([^.\[\]]+)')
_LONGEST_VALUE = 160  # characters; a longer one is cut, since a reviewer compares, not copies


class Kind(Enum):
    """What happens to a resource; the order is the order of the report, the riskiest first."""

    REPLACE = "replace"
    DELETE = "delete"
    UPDATE = "update"
    CREATE = "create"


# Engine operations that are one user-visible change; a replacement is reported by the engine as up to three steps.
_OPERATIONS: Mapping[str, Kind] = {
    "create": Kind.CREATE,
    "import": Kind.CREATE,
    "update": Kind.UPDATE,
    "delete": Kind.DELETE,
    "discard": Kind.DELETE,
    "replace": Kind.REPLACE,
    "create-replacement": Kind.REPLACE,
    "delete-replaced": Kind.REPLACE,
    "import-replacement": Kind.REPLACE,
    "discard-replaced": Kind.REPLACE,
}


@dataclass(frozen=True, kw_only=True)
class PropertyChange:
    """One property of one resource."""

    path: str
    old: str
    """Rendered old value; empty where there was none."""
    new: str
    """Rendered new value; empty where it goes."""
    forces_replacement: bool


@dataclass(frozen=True, kw_only=True)
class ResourceChange:
    """What the next `up` would do to one resource."""

    kind: Kind
    type_: str
    name: str
    properties: tuple[PropertyChange, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StackPreview:
    """The preview of one stack."""

    stack: str
    changes: tuple[ResourceChange, ...]
    unchanged: int
    """Resources that stay as they are, the stack's own pseudo-resource not counted."""
    warnings: tuple[str, ...] = field(default=())

    def count(self, kind: Kind) -> int:
        """How many resources the change affects in this way."""
        return sum(change.kind is kind for change in self.changes)

    @property
    def is_destructive(self) -> bool:
        """Whether anything is replaced or deleted."""
        return bool(self.count(Kind.REPLACE) or self.count(Kind.DELETE))


class PreviewFormatError(ValueError):
    """The engine's answer is not a preview in the JSON form that this module knows."""


def parse_preview(stack: str, text: str) -> StackPreview:
    """Read the output of `pulumi preview --json`.

    Args:
        stack: Name of the stack, for the report's heading.
        text: The engine's standard output.

    Raises:
        PreviewFormatError: The text is not JSON, or has no list of steps where changes are announced.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PreviewFormatError(
            f"the preview of stack {stack} starts with {text[:60]!r}; it must be the engine's JSON ({error}), "
            "because the report is made from its steps; run `pulumi preview --json` for it and mend what it says"
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("steps", []), list):
        raise PreviewFormatError(
            f"the preview of stack {stack} has no list `steps`; pulumi 3.259 writes one, and the report is made from "
            "it; use the engine that scripts/setup installs"
        )
    changes: dict[str, ResourceChange] = {}
    for step in document.get("steps", []):
        urn, kind = step["urn"], _OPERATIONS.get(step["op"])
        if kind is None or "pulumi:pulumi:Stack" in urn:
            continue
        seen = changes.get(urn)
        change = _resource_change(kind, urn, step)
        if seen is None or (not seen.properties and change.properties):
            changes[urn] = change
    ordered = sorted(changes.values(), key=lambda change: (list(Kind).index(change.kind), change.type_, change.name))
    warnings = tuple(
        _safe(entry.get("message", "").strip())
        for entry in document.get("diagnostics", [])
        if entry.get("severity") in ("warning", "error")
    )
    # With --diff the steps list only what changes; the summary counts the rest, and the stack itself among it.
    unchanged = max(0, int((document.get("changeSummary") or {}).get("same", 0)) - 1)
    return StackPreview(stack=stack, changes=tuple(ordered), unchanged=unchanged, warnings=warnings)


def render(preview: StackPreview) -> str:
    """Markdown of one stack: a summary line, a loud mark on replacements and deletions, then a table a resource."""
    lines = [f"## `{preview.stack}`", "", summary(preview), ""]
    if preview.is_destructive:
        lines += [
            "> [!CAUTION]",
            f"> **{preview.count(Kind.REPLACE)} to replace, {preview.count(Kind.DELETE)} to delete.** "
            "What is listed under REPLACE or DELETE stops existing in its present form.",
            "",
        ]
    for change in preview.changes:
        lines += _render_change(change)
    for warning in preview.warnings:
        lines += [f"> [!WARNING]\n> {line}" for line in warning.splitlines()[:1]] + [""]
    return "\n".join(lines).rstrip() + "\n"


def summary(preview: StackPreview) -> str:
    """One line: how many resources are created, updated, replaced and deleted."""
    if not preview.changes:
        return f"No changes ({preview.unchanged} unchanged)."
    counts = ", ".join(f"{preview.count(kind)} to {kind.value}" for kind in reversed(Kind))
    return f"{counts} ({preview.unchanged} unchanged)."


def render_all(previews: Iterable[StackPreview], *, base: str) -> str:
    """The whole report: one table over all stacks, then each stack."""
    previews = tuple(previews)
    lines = [
        f"# Preview against `{base}`",
        "",
        "| stack | create | update | replace | delete | unchanged |",
        "|---|---|---|---|---|---|",
    ]
    for preview in previews:
        cells = [str(preview.count(kind)) for kind in (Kind.CREATE, Kind.UPDATE)]
        cells += [
            f"**{n}** :rotating_light:" if (n := preview.count(kind)) else "0" for kind in (Kind.REPLACE, Kind.DELETE)
        ]
        lines.append(f"| `{preview.stack}` | {' | '.join(cells)} | {preview.unchanged} |")
    return "\n".join([*lines, "", *(render(preview) for preview in previews)])


def _resource_change(kind: Kind, urn: str, step: Mapping[str, Any]) -> ResourceChange:
    type_, name = urn.split("::")[-2].rsplit("$", 1)[-1], urn.rsplit("::", maxsplit=1)[-1]
    old = (step.get("oldState") or {}).get("inputs") or {}
    new = (step.get("newState") or {}).get("inputs") or {}
    if kind in (Kind.CREATE, Kind.DELETE):
        return ResourceChange(kind=kind, type_=type_, name=name)
    detailed: Mapping[str, Any] = step.get("detailedDiff") or {}
    paths = list(detailed) or list(step.get("diffReasons") or [])
    reasons = set(step.get("replaceReasons") or [])
    properties = tuple(
        PropertyChange(
            path=path,
            old=_value(old, path),
            new=_value(new, path),
            forces_replacement=str((detailed.get(path) or {}).get("kind", "")).endswith("replace") or path in reasons,
        )
        for path in sorted(paths)
    )
    return ResourceChange(kind=kind, type_=type_, name=name, properties=properties)


def _value(inputs: Any, path: str) -> str:
    current = inputs
    for quoted, index, plain in _PATH_PART.findall(path):
        try:
            current = current[int(index)] if index else current[quoted or plain]
        except (KeyError, IndexError, TypeError):
            return SECRET_TEXT if current == SECRET_TEXT else ""
    return _safe(current if isinstance(current, str) else json.dumps(current, sort_keys=True))


def _safe(text: str) -> str:
    if _KEY_MATERIAL.search(text):
        return SECRET_TEXT
    text = text.replace(UNKNOWN_SENTINEL, "(known after up)")
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text)} characters)"


def _render_change(change: ResourceChange) -> list[str]:
    loud = {Kind.REPLACE: ":rotating_light: **REPLACE**", Kind.DELETE: ":rotating_light: **DELETE**"}
    lines = [f"- {loud.get(change.kind, change.kind.value)} `{change.type_}` `{change.name}`"]
    if change.properties:
        lines += ["", "  | property | from | to | |", "  |---|---|---|---|"]
        for p in change.properties:
            remark = "forces replacement" if p.forces_replacement else ""
            lines.append(f"  | `{p.path}` | {_cell(p.old)} | {_cell(p.new)} | {remark} |")
    return [*lines, ""]


def _cell(text: str) -> str:
    if not text:
        return ""
    flat = " ".join(text.split()).replace("|", "\\|").replace("`", "'")
    return f"`{flat}`"
