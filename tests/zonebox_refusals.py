"""What zonebox refuses, with which words, and whether a real front-end was ever heard saying them.

`python -m tests.zonebox_refusals` writes docs/reference/zonebox-refusals.md; a test keeps the page true. A text counts
as observed where it fits a recorded refusal: its fixed parts in their order, anything in the place of what varies.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "zonebox-refusals.md"
SOURCES = ("model", "rpc", "oneflow", "onegate")
FILES = ("errors.py", "server.py", "serving.py", "machines.py", "zone.py", "template.py", "injection.py")
NOT_FOR_CLIENTS = frozenset({"ConfigError", "ControlError", "BadFault", "ValueError", "KeyError", "TypeError"})
"""Errors of operators and testers, and of Python."""
HEAD = """# What zonebox refuses

Every refusal of zonebox, by its words; `...` stands for what varies. *Observed* texts are in the recordings of
OpenNebula 7.0.1 (`tests/data`), where the parity suite compares them to the letter. **The others are in no recording**:
they are written from OpenNebula's documentation and in its manner, their codes are right as far as that says, and their
words may differ. A program should not depend on them.

Written by `python -m tests.zonebox_refusals`; a test keeps it fresh. Refusals that a test asked for (`zonebox fault`)
are not in it.
"""


@dataclass(frozen=True, order=True)
class Refusal:
    """A refusal as the source has it."""

    service: str
    """oned, OneFlow or OneGate."""
    error: str
    """Name of the exception."""
    text: str
    """The words, with `...` for what varies."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """What recorded texts must look like."""
        return re.compile(".+?".join(re.escape(part) for part in self.text.split("...")), re.DOTALL)


@cache
def refusals() -> list[Refusal]:
    """Every refusal in zonebox's source."""
    package = ROOT / "src" / "zonebox"
    files = [package / name for name in FILES]
    files += sorted(path for folder in SOURCES for path in (package / folder).glob("*.py"))
    return sorted({refusal for path in files if path.exists() for refusal in _of_file(path)})


def _of_file(path: Path) -> Iterator[Refusal]:
    service = {"oneflow": "OneFlow", "onegate": "OneGate"}.get(path.parent.name, "oned")
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        known = {
            target.id: text
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and (text := _text(node.value, {})) is not None
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func).rsplit(".", 1)[-1]
                text = _text(node.exc.args[0], known) if node.exc.args else None
                if text is not None and name not in NOT_FOR_CLIENTS | {"NotFound"} and not name.startswith("_"):
                    yield Refusal(service, "(several)" if name.islower() else name, text)
    for cls in ast.walk(tree):
        if isinstance(cls, ast.ClassDef):
            for node in ast.walk(cls):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__" and node.args:
                    text = _text(node.args[0], {})
                    if text is not None and cls.name not in NOT_FOR_CLIENTS:
                        yield Refusal(service, cls.name, text)


def _text(node: ast.expr, known: dict[str, str]) -> str | None:
    """A string of the source with `...` for what varies; None where it has no words of its own."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values]
        text = "".join(parts)
        return text if re.search("[a-z]{3}", text) else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left, known), _text(node.right, known)
        return None if left is None and right is None else f"{left or '...'}{right or '...'}"
    return None


def recorded() -> dict[str, list[str]]:
    """Texts of recorded refusals, by service."""
    data = ROOT / "tests" / "data"
    found: dict[str, list[str]] = {"oned": [], "OneFlow": [], "OneGate": []}
    for line in (data / "opennebula" / "oned.jsonl").read_text().splitlines():
        reply = json.loads(line)["reply"]
        if not reply[0]:
            found["oned"].append(str(reply[1]))
    for name, service in (("oneflow", "OneFlow"), ("onegate", "OneGate")):
        for line in (data / name / "recordings.jsonl").read_text().splitlines():
            row = json.loads(line)
            if row["status"] >= 400:
                found[service].append(str(row.get("text") or json.dumps(row.get("json"))))
    return found


def observed(refusal: Refusal, texts: dict[str, list[str]]) -> bool:
    """Whether a recorded refusal has these words."""
    return any(refusal.pattern.search(text) for text in texts[refusal.service])


def page() -> str:
    """The page."""
    texts = recorded()
    lines = [HEAD]
    for service in ("oned", "OneFlow", "OneGate"):
        lines += [f"## {service}", "", "| error | words | observed |", "|---|---|---|"]
        for refusal in refusals():
            if refusal.service == service:
                words = " ".join(refusal.text.replace("|", "\\|").split())
                lines.append(f"| {refusal.error} | `` {words} `` | {'yes' if observed(refusal, texts) else 'no'} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
