"""docs/reference/zonebox.md lists exactly the methods that a zone answers."""

from __future__ import annotations

import re
from pathlib import Path

from zonebox.rpc import table

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "zonebox.md"


def test_the_page_has_every_method_and_no_other() -> None:
    rows = re.findall(r"^\| `one\.(\w+)\.\*` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {f"one.{kind}.{name}" for kind, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert listed == set(table.build().names())
