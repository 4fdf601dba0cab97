"""The committed figures of the image: the page says what the numbers say, and the numbers keep to their limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flower_appliance.version import FLOWER_VERSION
from flower_federation.imaging.figures import BOOTS, CPU_LIMIT_BYTES, DATA, PAGE, render
from flower_federation.imaging.recipe import load

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PROJECT / DATA).read_text(encoding="utf-8"))
    return found


def test_the_page_is_what_the_numbers_render_to(figures: dict[str, Any]) -> None:
    assert (PROJECT / PAGE).read_text(encoding="utf-8") == render(figures)


def test_the_figures_are_of_this_flower_version_and_of_variants_that_the_recipe_has(figures: dict[str, Any]) -> None:
    assert figures["flower_version"] == FLOWER_VERSION
    assert {variant["name"] for variant in figures["variants"]} <= set(load().variants)


def test_the_cpu_variant_keeps_to_its_size(figures: dict[str, Any]) -> None:
    (cpu,) = [variant for variant in figures["variants"] if variant["name"] == "cpu"]
    assert 100_000_000 < cpu["size_bytes"] <= CPU_LIMIT_BYTES


def test_every_role_was_seen_ready_in_a_container_and_on_either_firmware(figures: dict[str, Any]) -> None:
    seen = {(boot["driver"], f"{boot['firmware']}/{boot['role']}") for boot in figures["boots"]}
    assert seen == {("nspawn", "none/superlink"), ("nspawn", "none/supernode"), *(("qemu", boot) for boot in BOOTS)}
    assert all(boot["ready_s"] > 0 for boot in figures["boots"])
    assert all(boot["memory_mib"] for boot in figures["boots"] if boot["driver"] == "qemu")
