"""Scaling: by hand, its failures and cooldown, and by elasticity and scheduled policies."""

from __future__ import annotations

import pytest

from tests.zonebox_services_support import BOOT_FAILURE, DONE, ONEADMIN, RUNNING, Bench, role
from zonebox.errors import Refused
from zonebox.oneflow import errors
from zonebox.oneflow.elasticity import average
from zonebox.oneflow.service import FlowSettings

GROW = {"type": "CHANGE", "adjust": 1, "expression": "LOAD > 1", "period": 3, "period_number": 2, "cooldown": 4}
SHRINK = {"type": "CHANGE", "adjust": -1, "expression": "LOAD < 1", "period": 3, "period_number": 1, "cooldown": 4}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _say_load(bench: Bench, value: str) -> None:
    for vm_id, vm in bench.vms.vms.items():
        if bench.vms.state(vm_id) == RUNNING:
            vm["USER_TEMPLATE"]["LOAD"] = value


async def test_growing_adds_vms_and_cools_down(bench: Bench) -> None:
    await bench.running([role("a", 1), role("b", 1)])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 3, False)
    assert (bench.state, bench.states()) == ("SCALING", {"a": "SCALING", "b": "RUNNING"})
    assert bench.role("a").body["scale_way"] == 0
    await bench.until("COOLDOWN")
    assert "scale_way" not in bench.role("a").body
    await bench.until("RUNNING")
    assert len(bench.role("a").nodes) == 3


async def test_shrinking_ends_the_oldest_vms(bench: Bench) -> None:
    await bench.running([role("a", 3)])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 1, False)
    assert bench.role("a").body["scale_way"] == 1
    await bench.until("RUNNING")
    assert bench.names("a") == [f"a_2_(service_{bench.id})"]
    assert bench.vms.state(2) == RUNNING


async def test_cooldown_lasts_as_long_as_the_role_says_on_the_zones_clock(bench: Bench) -> None:
    await bench.running([role("a", 1, cooldown=30)])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    await bench.until("COOLDOWN")
    await bench.step(29)
    assert bench.state == "COOLDOWN"
    await bench.step(1)
    assert bench.state == "RUNNING"


async def test_cooldown_can_be_cut_short_by_recover(bench: Bench) -> None:
    await bench.running([role("a", 1, cooldown=1000)])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    await bench.until("COOLDOWN")
    bench.lifecycle.recover(ONEADMIN, bench.id)
    assert (bench.state, bench.states()) == ("RUNNING", {"a": "RUNNING"})


@pytest.mark.parametrize(
    ("cardinality", "message"),
    [(4, "Can't scale service 0: Maximum cardinality is 3"), (0, "Can't scale service 0: Minimum cardinality is 1")],
)
async def test_limits_hold_unless_forced(bench: Bench, cardinality: int, message: str) -> None:
    await bench.running([role("a", 2, min_vms=1, max_vms=3)])
    with pytest.raises(errors.Refused, match=message):
        bench.lifecycle.scale(ONEADMIN, bench.id, "a", cardinality, False)
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", cardinality, True)
    await bench.until("COOLDOWN")
    assert len(bench.role("a").nodes) == cardinality


async def test_scaling_to_the_same_cardinality_is_refused_and_not_logged(bench: Bench) -> None:
    await bench.running([role("a", 2)])
    log = bench.log()
    with pytest.raises(errors.Refused, match="Cardinality of a is already at 2"):
        bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    assert bench.log() == log


async def test_a_service_that_does_not_run_is_not_scaled(bench: Bench) -> None:
    bench.create([role("a")])
    with pytest.raises(errors.Refused, match="Service cannot be scaled in state: DEPLOYING_NETS"):
        bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)


async def test_a_new_vm_that_fails_to_boot_fails_the_scaling_and_recover_mends_it(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    bench.vms.put(1, BOOT_FAILURE)
    await bench.step()
    assert (bench.state, bench.states()) == ("FAILED_SCALING", {"a": "FAILED_SCALING"})
    bench.lifecycle.recover(ONEADMIN, bench.id)
    await bench.until("RUNNING")
    assert bench.role("a").node_ids == [0, 1]


async def test_a_vm_that_cannot_be_made_fails_the_scaling_and_recover_makes_it(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.vms.refuse["instantiate"] = Refused("full")
    with pytest.raises(errors.Refused, match=r"Instantiate failed for template 5; .* full"):
        bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    assert bench.state == "FAILED_SCALING"
    bench.vms.refuse.clear()
    bench.lifecycle.recover(ONEADMIN, bench.id)
    await bench.until("RUNNING")
    assert len(bench.role("a").nodes) == 2


async def test_a_vm_that_fails_to_end_fails_the_scaling_and_recover_mends_it(bench: Bench) -> None:
    await bench.running([role("a", 3)])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 1, False)
    bench.vms.put(1, BOOT_FAILURE)
    await bench.step()
    assert (bench.state, bench.role("a").node_ids) == ("FAILED_SCALING", [1, 2])
    bench.lifecycle.recover(ONEADMIN, bench.id)
    bench.vms.put(1, DONE)
    await bench.until("RUNNING")
    assert bench.role("a").node_ids == [2]


async def test_a_policy_grows_the_role_after_enough_looks_and_takes_its_cooldown(bench: Bench) -> None:
    await bench.running([role("a", 1, min_vms=1, max_vms=2, elasticity_policies=[GROW])])
    _say_load(bench, "5")
    await bench.step(3)
    assert bench.role("a").body["elasticity_policies"][0]["true_evals"] == 1
    await bench.step(2)
    assert bench.state == "RUNNING"
    await bench.step(1)
    assert bench.state == "SCALING"
    assert bench.role("a").cooldown_s == 4
    assert "true_evals" not in bench.role("a").body["elasticity_policies"][0]


async def test_a_policy_does_not_pass_the_roles_maximum(bench: Bench) -> None:
    await bench.running([role("a", 2, min_vms=1, max_vms=2, elasticity_policies=[{**GROW, "period_number": 1}])])
    _say_load(bench, "5")
    for _ in range(5):
        await bench.step(3)
    assert (bench.state, bench.role("a").cardinality) == ("RUNNING", 2)


async def test_a_look_in_between_that_fails_starts_the_count_again(bench: Bench) -> None:
    await bench.running([role("a", 1, min_vms=1, max_vms=2, elasticity_policies=[GROW])])
    for load in ("5", "0", "5"):
        _say_load(bench, load)
        await bench.step(3)
    assert (bench.state, bench.role("a").body["elasticity_policies"][0]["true_evals"]) == ("RUNNING", 1)


async def test_a_policy_shrinks_the_role_by_its_oldest_vm(bench: Bench) -> None:
    await bench.running([role("a", 2, min_vms=1, max_vms=2, elasticity_policies=[GROW, SHRINK])])
    _say_load(bench, "0")
    await bench.step(3)
    await bench.until("RUNNING")
    assert bench.role("a").node_ids == [1]
    bookkeeping = bench.role("a").body["elasticity_policies"][1]["expression_evaluated"]
    assert bookkeeping == "LOAD[0.0] < 1"


async def test_a_role_forced_below_its_minimum_is_brought_back_without_cooldown(bench: Bench) -> None:
    await bench.running([role("a", 2, min_vms=2, max_vms=3)])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 1, True)
    await bench.until("RUNNING")
    await bench.step()
    await bench.until("RUNNING")
    assert (bench.role("a").cardinality, bench.role("a").cooldown_s) == (2, 0)


async def test_a_scheduled_policy_scales_when_its_time_comes_and_not_for_the_past(bench: Bench) -> None:
    now = int(bench.zone.clock.now())
    past = {"type": "CARDINALITY", "adjust": 5, "start_time": str(now - 10)}
    soon = {"type": "CARDINALITY", "adjust": 3, "start_time": str(now + 100)}
    await bench.running([role("a", 1, min_vms=1, max_vms=5, scheduled_policies=[past, soon])])
    await bench.step(50)
    assert bench.role("a").cardinality == 1
    await bench.step(60)
    assert (bench.state, bench.role("a").cardinality) == ("SCALING", 3)


async def test_a_recurring_policy_scales_at_each_of_its_times(bench: Bench) -> None:
    every_ten_minutes = {"type": "CHANGE", "adjust": 1, "recurrence": "*/10 * * * *"}
    await bench.running([role("a", 1, min_vms=1, max_vms=5, scheduled_policies=[every_ten_minutes])])
    for _ in range(2):
        await bench.step(600)
        await bench.until("RUNNING")
    assert bench.role("a").cardinality == 3


async def test_policies_are_looked_at_no_more_often_than_the_front_end_says() -> None:
    bench = Bench(FlowSettings(autoscaler_interval_s=10))
    await bench.running([role("a", 1, min_vms=1, max_vms=9, elasticity_policies=[{**GROW, "period": 0}])])
    await bench.step(10)
    writes = bench.zone.documents.writes
    for _ in range(9):
        await bench.step(1)
    assert bench.zone.documents.writes == writes


def test_an_average_is_over_running_vms_that_have_the_attribute() -> None:
    def vm(state: str, **places: dict[str, str]) -> dict[str, object]:
        return {"STATE": state, "LCM_STATE": "3", "USER_TEMPLATE": {}, "MONITORING": {}, "TEMPLATE": {}, **places}

    vms = [
        vm("3", USER_TEMPLATE={"X": "1"}, MONITORING={"X": "100"}),
        vm("3", MONITORING={"X": "2.5"}),
        vm("3", TEMPLATE={"X": "abc"}),
        vm("3"),
        vm("8", USER_TEMPLATE={"X": "1000"}),
    ]
    assert average(vms, "X") == 1.17
    assert average(vms, "Y") is None
