"""Tests of the provider through the real engine know no zonebox, so that they run against any OpenNebula."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.opennebula_endpoints import ENDPOINT, ROOT, is_provider_test, is_skipped, needs_zonebox

FILES = sorted(path for path in (ROOT / "tests").rglob("test_opennebula_*.py") if is_provider_test(path))
ANYWHERE = {
    "test_opennebula_engine.py",
    "test_opennebula_examples.py",
    "test_opennebula_machine_engine.py",
    "test_opennebula_pools_engine.py",
    "test_opennebula_properties.py",
}
"""Together they have every resource type, every property, import, refresh, replacement and every function."""


def test_the_engine_tests_import_nothing_of_zonebox() -> None:
    found = {path.name for path in FILES if path.name in ANYWHERE and not needs_zonebox(path)}
    assert found == ANYWHERE


def test_an_import_is_found_wherever_it_stands_and_through_other_files(tmp_path: Path) -> None:
    for source, needs in (
        ("import zonebox", True),
        ("def f():\n    from zonebox.control import Control\n", True),
        ("from tests.zonebox_support import zone_process\n", True),
        ("from tests import opennebula_in_process\n", True),
        ("from tests.opennebula_support import Project\n", False),
        ("import json\n# zonebox\n", False),
    ):
        file = tmp_path / f"test_{abs(hash(source))}.py"
        file.write_text(source)
        assert needs_zonebox(file) == needs, source


def test_only_with_an_endpoint_in_the_environment_something_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    assert not any(is_skipped(path) for path in FILES)
    monkeypatch.setenv(ENDPOINT, "https://front-end:2633/RPC2")
    skipped = {path.name for path in FILES if is_skipped(path)}
    assert "test_opennebula_sequences.py" in skipped
    assert not skipped & ANYWHERE
    assert not is_skipped(ROOT / "tests" / "integration" / "test_zonebox_control.py")
