"""Changes to a service while it lives: on hold and release, networks of its own, roles added and removed, updates."""

from __future__ import annotations

import re

import pytest

from tests.zonebox_services_support import DONE, HOLD, ONEADMIN, POWEROFF, Bench, role
from zonebox.errors import ActionRefused, Refused
from zonebox.oneflow import errors
from zonebox.oneflow.states import ServiceState


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_service_on_hold_waits_whole_until_it_is_released_in_order(bench: Bench) -> None:
    bench.create([role("a"), role("b", parents=["a"])], on_hold=True)
    await bench.until("HOLD")
    await bench.step()
    assert bench.states() == {"a": "HOLD", "b": "HOLD"}
    assert [bench.vms.state(vm_id) for vm_id in (0, 1)] == [HOLD, HOLD]
    bench.lifecycle.release(ONEADMIN, bench.id)
    assert (bench.state, bench.states()) == ("DEPLOYING", {"a": "DEPLOYING", "b": "HOLD"})
    await bench.until("RUNNING")
    assert [call for call in bench.vms.calls if call[0] == "release"] == [("release", 0, 0), ("release", 0, 1)]


async def test_one_role_on_hold_holds_its_children_and_nobody_else(bench: Bench) -> None:
    bench.create([role("a", on_hold=True), role("b", parents=["a"]), role("c")])
    await bench.until("DEPLOYING")
    for _ in range(4):
        bench.vms.settle()
        await bench.step()
    assert (bench.state, bench.states()) == ("DEPLOYING", {"a": "HOLD", "b": "HOLD", "c": "RUNNING"})
    bench.lifecycle.release(ONEADMIN, bench.id)
    await bench.until("RUNNING")


async def test_nothing_on_hold_cannot_be_released(bench: Bench) -> None:
    await bench.running([role("a")])
    with pytest.raises(errors.Refused, match="Service has no roles in HOLD"):
        bench.lifecycle.release(ONEADMIN, bench.id)


async def test_a_vm_that_cannot_be_released_fails_the_deployment(bench: Bench) -> None:
    bench.create([role("a")], on_hold=True)
    await bench.until("HOLD")
    bench.vms.refuse["release"] = ActionRefused("no")
    with pytest.raises(errors.Refused, match="Error releasing role a"):
        bench.lifecycle.release(ONEADMIN, bench.id)
    assert bench.state == "FAILED_DEPLOYING"


async def test_networks_are_reserved_and_instantiated_for_a_service_and_go_with_it(bench: Bench) -> None:
    values = [
        {"mine": {"reserve_from": "7", "extra": "SIZE=5"}},
        {"other": {"template_id": "3", "extra": 'DNS="1.1.1.1"'}},
        {"given": {"id": "9"}},
    ]
    contents = {"NIC": [{"NETWORK_ID": "$mine"}, {"NETWORK_ID": "$other"}, {"NETWORK_ID": "$given"}]}
    await bench.running([role("a", template_contents=contents)], networks_values=values)
    nets = bench.zone.networks
    assert nets.calls == [
        ("reserve", 7, f"mine-{bench.id}", 5),
        ("instantiate_template", 3, f"other-{bench.id}", {"DNS": "1.1.1.1"}),
    ]
    assert [nic["NETWORK_ID"] for nic in bench.vms.info(0)["TEMPLATE"]["NIC"]] == ["100", "101", "9"]
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    await bench.until("gone")
    assert nets.nets == {}


async def test_a_service_waits_until_its_networks_are_ready(bench: Bench) -> None:
    bench.zone.networks.first_state = "2"
    bench.create([role("a")], networks_values=[{"n": {"template_id": "3"}}])
    for _ in range(3):
        await bench.step()
    assert bench.state == "DEPLOYING_NETS"
    bench.zone.networks.nets[100]["STATE"] = "1"
    await bench.until("RUNNING")


async def test_a_network_in_error_fails_the_service_until_recover_finds_it_ready(bench: Bench) -> None:
    bench.zone.networks.first_state = "5"
    bench.create([role("a")], networks_values=[{"n": {"template_id": "3"}}])
    await bench.until("FAILED_DEPLOYING_NETS")
    bench.zone.networks.nets[100]["STATE"] = "1"
    bench.lifecycle.recover(ONEADMIN, bench.id)
    await bench.until("RUNNING")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"reserve_from": "7"}, 'SIZE is missing in extra.*set extra to "SIZE=5"'),
        ({"reserve_from": "7", "extra": "SIZE=5"}, "no addresses"),
        ({}, "gives none of id, template_id and reserve_from"),
    ],
)
async def test_a_network_that_cannot_be_made_fails_the_service_and_its_log_says_why(
    bench: Bench, value: dict[str, str], said: str
) -> None:
    bench.zone.networks.refuse["reserve"] = Refused("no addresses")
    bench.create([role("a")], networks_values=[{"n": value}])
    assert bench.state == "FAILED_DEPLOYING"
    assert bench.log()[-1] == "I New state: FAILED_DEPLOYING"
    assert re.search(said, bench.log()[-2])


async def test_a_network_that_cannot_be_removed_is_tried_again_by_recover(bench: Bench) -> None:
    await bench.running([role("a")], networks_values=[{"n": {"template_id": "3"}}])
    bench.zone.networks.refuse["delete"] = ActionRefused("has leases")
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    await bench.until("FAILED_UNDEPLOYING_NETS")
    assert "E Network n: [one.vn.delete] has leases" in bench.log()
    bench.zone.networks.refuse.clear()
    bench.lifecycle.recover(ONEADMIN, bench.id)
    await bench.until("gone")
    assert bench.zone.networks.nets == {}


async def test_a_nic_that_is_no_list_fails_the_deployment(bench: Bench) -> None:
    bench.create([role("a", template_contents={"NIC": {"NETWORK_ID": "1"}})])
    await bench.until("FAILED_DEPLOYING")
    assert "E Error generating VM template contents" in bench.log()


async def test_a_role_can_be_added_and_removed_while_the_service_runs(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.lifecycle.add_role(ONEADMIN, bench.id, role("b", 2, parents=["a"]))
    assert bench.state == "DEPLOYING"
    await bench.until("RUNNING")
    assert len(bench.role("b").nodes) == 2
    bench.lifecycle.remove_role(ONEADMIN, bench.id, "b")
    assert bench.state == "UNDEPLOYING"
    await bench.until("RUNNING")
    assert bench.states() == {"a": "RUNNING"}
    assert [bench.vms.state(vm_id) for vm_id in (1, 2)] == [DONE, DONE]


async def test_the_last_role_takes_the_service_with_it(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.lifecycle.remove_role(ONEADMIN, bench.id, "a")
    await bench.until("gone")


async def test_roles_are_changed_only_while_the_service_runs(bench: Bench) -> None:
    await bench.running([role("a")])
    with pytest.raises(errors.Refused, match="Role a already exists"):
        bench.lifecycle.add_role(ONEADMIN, bench.id, role("a"))
    with pytest.raises(errors.Refused, match="Role b does not exist"):
        bench.lifecycle.remove_role(ONEADMIN, bench.id, "b")
    bench.vms.put(0, POWEROFF)
    await bench.step()
    with pytest.raises(errors.Refused, match="Cannot modify roles in state: WARNING"):
        bench.lifecycle.remove_role(ONEADMIN, bench.id, "a")


async def test_an_added_role_that_cannot_be_made_fails_the_service(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.vms.refuse["instantiate"] = Refused("no")
    with pytest.raises(errors.Refused, match="Instantiate failed"):
        bench.lifecycle.add_role(ONEADMIN, bench.id, role("b"))
    assert (bench.state, bench.role("b").state.name) == ("FAILED_DEPLOYING", "FAILED_DEPLOYING")


async def test_a_removed_role_whose_vm_cannot_be_ended_fails_the_service(bench: Bench) -> None:
    await bench.running([role("a"), role("b")])
    for call in ("terminate", "terminate-hard", "recover"):
        bench.vms.refuse[call] = ActionRefused("no")
    with pytest.raises(errors.Refused, match="Error undeploying nodes"):
        bench.lifecycle.remove_role(ONEADMIN, bench.id, "b")
    assert bench.state == "FAILED_UNDEPLOYING"


async def test_scheduled_actions_are_done_in_groups_when_they_are_due(bench: Bench) -> None:
    await bench.running([role("a", 3), role("b", 1)])
    bench.lifecycle.schedule(ONEADMIN, bench.id, "a", "poweroff", {"period": 60, "number": 2})
    await bench.step()
    assert [call[2] for call in bench.vms.calls if call[0] == "poweroff"] == [0, 1]
    await bench.step(60)
    assert [call[2] for call in bench.vms.calls if call[0] == "poweroff"] == [0, 1, 2]
    assert "_zonebox" not in bench.service().body


async def test_a_scheduled_action_that_oned_refuses_is_in_the_log(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.lifecycle.schedule(ONEADMIN, bench.id, None, "reboot", {})
    await bench.step()
    assert bench.log()[-1].startswith("E Action reboot failed for VM 0; Wrong state")


async def test_actions_cannot_be_scheduled_on_a_role_that_does_not_exist(bench: Bench) -> None:
    await bench.running([role("a")])
    with pytest.raises(errors.Refused, match="Role 'b' not found"):
        bench.lifecycle.schedule(ONEADMIN, bench.id, "b", "poweroff", {})


async def test_an_update_may_change_descriptions_and_limits_but_not_what_oneflow_keeps(bench: Bench) -> None:
    await bench.running([role("a", 1, max_vms=2)])
    body = bench.service().body
    changed = {**body, "description": "new", "roles": [{**body["roles"][0], "max_vms": 9}]}
    bench.lifecycle.update(ONEADMIN, bench.id, changed, append=False)
    assert (bench.service().body["description"], bench.role("a").body["max_vms"]) == ("new", 9)
    for key, value in (("state", 7), ("deployment", "none"), ("networks", {"n": "M"}), ("name", "other")):
        with pytest.raises(errors.Refused, match=f"Immutable value: `service/{key}` can not be changed"):
            bench.lifecycle.update(ONEADMIN, bench.id, {**body, key: value}, append=False)
    for key, value in (("cardinality", 7), ("nodes", []), ("template_id", 9), ("state", 1)):
        roles = [{**body["roles"][0], key: value}]
        with pytest.raises(errors.Refused, match=f"Immutable value: `role/{key}` can not be changed"):
            bench.lifecycle.update(ONEADMIN, bench.id, {**body, "roles": roles}, append=False)
    with pytest.raises(errors.Refused, match="service/roles size"):
        bench.lifecycle.update(ONEADMIN, bench.id, {**body, "roles": []}, append=False)
    with pytest.raises(errors.Refused, match="use rename operation"):
        roles = [{**body["roles"][0], "name": "z"}]
        bench.lifecycle.update(ONEADMIN, bench.id, {**body, "roles": roles}, append=False)


async def test_an_appended_update_adds_keys_only(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.lifecycle.update(ONEADMIN, bench.id, {"note": "x"}, append=True)
    assert bench.service().body["note"] == "x"
    with pytest.raises(errors.Refused, match="Immutable value: `service/state`"):
        bench.lifecycle.update(ONEADMIN, bench.id, {"state": 3}, append=True)


async def test_a_service_on_its_way_is_not_updated(bench: Bench) -> None:
    bench.create([role("a")])
    with pytest.raises(errors.Refused, match="Service cannot be updated in state: DEPLOYING_NETS"):
        bench.lifecycle.update(ONEADMIN, bench.id, {"note": "x"}, append=True)


async def test_a_service_that_was_stored_but_not_started_is_started_by_the_next_round(bench: Bench) -> None:
    bench.create([role("a")])
    document = bench.zone.documents.stored[bench.id]
    document["TEMPLATE"]["BODY"]["state"] = int(ServiceState.PENDING)
    await bench.until("RUNNING")
