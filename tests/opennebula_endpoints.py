"""Which tests of the provider run against any OpenNebula, and which need zonebox itself: told by what they import.

With OPENNEBULA_ENDPOINT in the environment the first kind uses that zone, and the second is skipped (conftest.py).
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ENDPOINT = "OPENNEBULA_ENDPOINT"
REASON = f"needs zonebox itself (its control API, clock or model), and {ENDPOINT} names another zone"
ROOT = Path(__file__).resolve().parent.parent


def is_provider_test(path: Path) -> bool:
    """Whether a file tests `pulumi_opennebula` against a zone."""
    return path.name.startswith("test_opennebula_") and path.parent.name in {"integration", "property"}


def is_skipped(path: Path) -> bool:
    """Whether the environment names a zone that a file's tests cannot use."""
    return bool(os.environ.get(ENDPOINT)) and is_provider_test(path) and needs_zonebox(path)


@cache
def needs_zonebox(path: Path) -> bool:
    """Whether a file imports anything of zonebox, itself or through other files of the tests."""
    waiting, seen = [path], {path}
    while waiting:
        for name in _imported(waiting.pop()):
            if name.split(".")[0] == "zonebox":
                return True
            for file in _files(name):
                if file not in seen:
                    seen.add(file)
                    waiting.append(file)
    return False


def _files(name: str) -> Iterator[Path]:
    """The file of a module of the tests; of a name in it, its module's."""
    if name.startswith("tests."):
        for module in (name, name.rpartition(".")[0]):
            file = ROOT / f"{module.replace('.', '/')}.py"
            if file.is_file():
                yield file


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
