"""The committed figures of the image: the page says what the numbers say, and the numbers keep to their limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flower_appliance.version import FLOWER_VERSION
from flower_federation.errors import MachineError
from flower_federation.imaging.figures import BOOTS, CPU_LIMIT_BYTES, DATA, PAGE, Seen, render
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
    seen = {(boot["variant"], boot["driver"], f"{boot['firmware']}/{boot['role']}") for boot in figures["boots"]}
    assert seen >= {("cpu", "qemu", boot) for boot in BOOTS}
    for variant in {boot["variant"] for boot in figures["boots"]}:
        assert seen >= {(variant, "nspawn", f"none/{role}") for role in ("superlink", "supernode")}
    assert all(boot["ready_s"] > 0 for boot in figures["boots"])
    assert all(boot["memory_mib"] for boot in figures["boots"] if boot["driver"] == "qemu")


def test_a_run_goes_on_where_an_earlier_one_of_the_same_day_and_inputs_stopped(tmp_path: Path) -> None:
    path, said = tmp_path / "state" / "seen.jsonl", list[str]()

    def fails() -> list[dict[str, Any]]:
        raise MachineError(given="a", rule="b", reason="c", remedy="d")

    first = Seen(path, "2026-11-24")
    assert first.get("variant cpu abc", lambda: [{"name": "cpu"}], said.append) == [{"name": "cpu"}]
    with pytest.raises(MachineError):
        first.get("boot bios/superlink abc", fails, said.append)

    again = Seen(path, "2026-11-24")
    assert again.get("variant cpu abc", fails, said.append) == [{"name": "cpu"}]
    assert said[-1] == "measured already: variant cpu abc"
    with pytest.raises(MachineError):
        again.get("boot bios/superlink abc", fails, said.append)
    with pytest.raises(MachineError):
        again.get("variant cpu of other sources", fails, said.append)
    with pytest.raises(MachineError):
        Seen(path, "2026-11-25").get("variant cpu abc", fails, said.append)
