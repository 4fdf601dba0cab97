"""docs/security/control-api.md shows the roles as the gateway knows them."""

from __future__ import annotations

from pathlib import Path

from flower_appliance.roles import render_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security" / "control-api.md"


def test_the_table_of_roles_is_the_one_that_the_gateway_enforces() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition("render_table -->")[2].partition("<!-- end of table -->")[0]
    assert shown.strip() == render_table().strip()
