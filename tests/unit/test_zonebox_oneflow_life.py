"""The life of a service: deployment in order, warnings, removal, recovery of each failed state."""

from __future__ import annotations

import pytest

from tests.zonebox_services_support import (
    ALICE,
    BOOT_FAILURE,
    DONE,
    ONEADMIN,
    POWEROFF,
    RUNNING,
    Bench,
    role,
)
from zonebox.errors import ActionRefused, NotAuthorized, Refused
from zonebox.oneflow import errors
from zonebox.oneflow.states import ServiceState

FAMILY = [role("parent", 2), role("child", 1, parents=["parent"]), role("grandchild", 1, parents=["child"])]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_children_wait_for_their_parents_and_are_removed_before_them(bench: Bench) -> None:
    bench.create(FAMILY)
    await bench.until("DEPLOYING")
    assert bench.states() == {"parent": "DEPLOYING", "child": "PENDING", "grandchild": "PENDING"}
    bench.vms.settle()
    await bench.step()
    assert bench.states() == {"parent": "RUNNING", "child": "DEPLOYING", "grandchild": "PENDING"}
    await bench.until("RUNNING")
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    assert bench.states() == {"parent": "RUNNING", "child": "RUNNING", "grandchild": "UNDEPLOYING"}
    await bench.until("gone")
    ended = [call[2] for call in bench.vms.calls if call[0] == "terminate"]
    assert ended == [3, 2, 0, 1]


async def test_with_deployment_none_all_roles_come_and_go_at_once(bench: Bench) -> None:
    bench.create(FAMILY, deployment="none")
    await bench.until("DEPLOYING")
    assert set(bench.states().values()) == {"DEPLOYING"}
    await bench.until("RUNNING")
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    assert set(bench.states().values()) == {"UNDEPLOYING"}


async def test_a_role_whose_parent_does_not_exist_is_waited_for_as_on_a_real_front_end(bench: Bench) -> None:
    bench.create([role("a", parents=["nobody"])])
    for _ in range(3):
        await bench.step()
    assert bench.state == "DEPLOYING_NETS"


async def test_a_gated_role_is_deployed_only_when_each_vm_says_ready(bench: Bench) -> None:
    bench.create([role("a", 2), role("b", parents=["a"])], ready_status_gate=True)
    await bench.until("DEPLOYING")
    bench.vms.settle()
    bench.vms.update_user_template(0, {"READY": "YES"})
    bench.vms.update_user_template(1, {"READY": "NO"})
    await bench.step()
    assert bench.states() == {"a": "DEPLOYING", "b": "PENDING"}
    bench.vms.update_user_template(1, {"READY": "YES"})
    await bench.step()
    assert bench.states() == {"a": "RUNNING", "b": "DEPLOYING"}


async def test_vms_carry_the_services_marks_and_names_that_are_never_reused(bench: Bench) -> None:
    await bench.running([role("a", 2)])
    assert bench.names("a") == [f"a_0_(service_{bench.id})", f"a_1_(service_{bench.id})"]
    assert bench.vms.info(0)["USER_TEMPLATE"] == {"ROLE_NAME": "a", "SERVICE_ID": str(bench.id)}
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 1, False)
    await bench.until("RUNNING")
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    await bench.until("RUNNING")
    assert bench.names("a") == [f"a_1_(service_{bench.id})", f"a_2_(service_{bench.id})"]


async def test_a_child_gets_its_parents_address_and_networks_by_id(bench: Bench) -> None:
    contents = {
        "NIC": [{"NETWORK_ID": "$net"}],
        "CONTEXT": {"UP": "${a.TEMPLATE.CONTEXT.ETH0_IP}:1", "N": 5, "B": True},
    }
    await bench.running(
        [role("a"), role("b", parents=["a"], template_contents=contents)],
        networks={"net": "M|network|||id:3"},
        networks_values=[{"net": {"id": "3"}}],
    )
    made = bench.vms.info(1)["TEMPLATE"]
    assert (made["CONTEXT"]["UP"], made["CONTEXT"]["N"], made["CONTEXT"]["B"]) == ("127.99.0.10:1", "5", "true")
    assert made["NIC"] == [{"NETWORK_ID": "3"}]


async def test_inputs_of_the_service_reach_every_roles_context(bench: Bench) -> None:
    await bench.running([role("a"), role("b")], user_inputs_values={"KEY": "value"})
    for vm_id in (0, 1):
        template = bench.vms.info(vm_id)["TEMPLATE"]
        assert (template["KEY"], template["CONTEXT"]["KEY"]) == ("value", "$KEY")


async def test_vms_belong_to_the_services_owner(bench: Bench) -> None:
    await bench.running([role("a")], owner=ALICE)
    assert bench.vms.info(0)["UNAME"] == "alice"
    bench.lifecycle.undeploy(ALICE, bench.id)
    assert bench.vms.calls[-1] == ("terminate", ALICE.uid, 0)


async def test_another_user_cannot_touch_a_service(bench: Bench) -> None:
    await bench.running([role("a")])
    for attempt in (bench.lifecycle.undeploy, bench.lifecycle.recover, bench.lifecycle.release):
        with pytest.raises(NotAuthorized):
            attempt(ALICE, bench.id)


async def test_a_vm_that_is_powered_off_is_a_warning_until_it_is_back(bench: Bench) -> None:
    await bench.running([role("a", 2), role("b")])
    bench.vms.put(0, POWEROFF)
    await bench.step()
    assert (bench.state, bench.states()) == ("WARNING", {"a": "WARNING", "b": "RUNNING"})
    bench.vms.put(0, RUNNING)
    await bench.step()
    assert (bench.state, bench.states()) == ("RUNNING", {"a": "RUNNING", "b": "RUNNING"})


async def test_a_vm_that_somebody_terminates_is_dropped_and_the_cardinality_falls(bench: Bench) -> None:
    await bench.running([role("a", 3)])
    bench.vms.put(1, DONE)
    await bench.step()
    assert (bench.role("a").cardinality, bench.role("a").node_ids) == (2, [0, 2])
    assert bench.log()[-1] == "I Role a scaling down from 3 to 2 nodes"


async def test_a_service_that_rests_is_not_written(bench: Bench) -> None:
    await bench.running([role("a")])
    writes = bench.zone.documents.writes
    for _ in range(3):
        assert bench.watchdog.step() is False
    assert bench.zone.documents.writes == writes


async def test_automatic_deletion_ends_a_service_whose_last_vm_is_gone(bench: Bench) -> None:
    await bench.running([role("a"), role("b")], automatic_deletion=True)
    bench.vms.put(0, DONE)
    await bench.step()
    assert bench.state == "RUNNING"
    bench.vms.put(1, DONE)
    await bench.until("gone")


async def test_the_log_keeps_its_last_fifty_entries(bench: Bench) -> None:
    await bench.running([role("a")])
    for _ in range(30):
        bench.vms.put(0, POWEROFF)
        await bench.step()
        bench.vms.put(0, RUNNING)
        await bench.step()
    assert len(bench.log()) == 50
    assert bench.log()[-2:] == ["I New state: WARNING", "I New state: RUNNING"]


async def test_a_vm_that_fails_to_boot_fails_the_deployment_and_recover_mends_it(bench: Bench) -> None:
    bench.vms.fails_to_boot.add(5)
    bench.create([role("a", 2), role("b", parents=["a"])])
    await bench.until("FAILED_DEPLOYING")
    assert bench.states() == {"a": "FAILED_DEPLOYING", "b": "PENDING"}
    with pytest.raises(errors.Refused, match="Service cannot be undeployed in state: FAILED_DEPLOYING"):
        bench.lifecycle.undeploy(ONEADMIN, bench.id)
    bench.vms.fails_to_boot.clear()
    bench.lifecycle.recover(ONEADMIN, bench.id)
    assert bench.state == "FAILED_DEPLOYING"
    await bench.until("RUNNING")
    assert bench.states() == {"a": "RUNNING", "b": "RUNNING"}
    assert "_zonebox" not in bench.service().body


async def test_a_failed_service_stays_failed_without_recover_even_when_its_vms_are_mended(bench: Bench) -> None:
    bench.vms.fails_to_boot.add(5)
    bench.create([role("a")])
    await bench.until("FAILED_DEPLOYING")
    bench.vms.put(0, RUNNING)
    for _ in range(3):
        await bench.step()
    assert bench.state == "FAILED_DEPLOYING"


async def test_a_recover_that_fails_again_says_so(bench: Bench) -> None:
    bench.vms.fails_to_boot.add(5)
    bench.create([role("a")])
    await bench.until("FAILED_DEPLOYING")
    bench.lifecycle.recover(ONEADMIN, bench.id)
    bench.vms.settle()
    await bench.step()
    assert bench.log()[-2:] == ["I New state: FAILED_DEPLOYING", "I New state: FAILED_DEPLOYING"]


async def test_what_oned_said_is_in_the_log_when_a_vm_cannot_be_made(bench: Bench) -> None:
    bench.vms.refuse["instantiate"] = Refused("Not enough quota")
    bench.create([role("a")])
    await bench.until("FAILED_DEPLOYING")
    assert "E Role a : Instantiate failed for template 5; [one.template.instantiate] Not enough quota" in bench.log()
    bench.vms.refuse.clear()
    bench.lifecycle.recover(ONEADMIN, bench.id)
    await bench.until("RUNNING")


async def test_a_child_that_cannot_be_made_fails_the_service(bench: Bench) -> None:
    bench.create([role("a"), role("b", parents=["a"])])
    await bench.until("DEPLOYING")
    bench.vms.refuse["instantiate"] = Refused("no")
    await bench.until("FAILED_DEPLOYING")
    assert bench.states() == {"a": "RUNNING", "b": "FAILED_DEPLOYING"}


async def test_recover_with_delete_ends_a_failed_service_with_its_vms(bench: Bench) -> None:
    bench.vms.fails_to_boot.add(5)
    bench.create([role("a", 2)])
    await bench.until("FAILED_DEPLOYING")
    bench.lifecycle.recover(ONEADMIN, bench.id, delete=True)
    await bench.until("gone")
    assert [bench.vms.state(vm_id) for vm_id in (0, 1)] == [DONE, DONE]


async def test_recover_with_delete_waits_for_vms_that_did_not_end_at_first(bench: Bench) -> None:
    await bench.running([role("a", 2)])
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    bench.vms.put(1, BOOT_FAILURE)
    await bench.step()
    assert bench.state == "FAILED_UNDEPLOYING"
    bench.vms.put(1, RUNNING)
    bench.lifecycle.recover(ONEADMIN, bench.id, delete=True)
    assert (bench.state, bench.states()) == ("UNDEPLOYING", {"a": "UNDEPLOYING"})
    await bench.until("gone")
    assert bench.vms.state(1) == DONE


async def test_recover_with_delete_removes_networks_that_could_not_be_removed_at_first(bench: Bench) -> None:
    await bench.running([role("a")], networks_values=[{"n": {"template_id": "3"}}])
    bench.zone.networks.refuse["delete"] = ActionRefused("has leases")
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    await bench.until("FAILED_UNDEPLOYING_NETS")
    bench.zone.networks.refuse.clear()
    bench.lifecycle.recover(ONEADMIN, bench.id, delete=True)
    assert bench.state == "UNDEPLOYING_NETS"
    await bench.until("gone")
    assert bench.zone.networks.nets == {}


async def test_a_vm_that_fails_while_it_ends_fails_the_removal_and_recover_mends_it(bench: Bench) -> None:
    await bench.running([role("a", 2)])
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    bench.vms.put(1, BOOT_FAILURE)
    await bench.step()
    assert (bench.state, bench.role("a").node_ids) == ("FAILED_UNDEPLOYING", [1])
    bench.lifecycle.recover(ONEADMIN, bench.id)
    bench.vms.put(1, DONE)
    await bench.until("gone")


async def test_a_vm_that_refuses_to_end_is_deleted(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.vms.refuse |= {"terminate": ActionRefused("Wrong state"), "terminate-hard": ActionRefused("Wrong state")}
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    assert [call[0] for call in bench.vms.calls[-3:]] == ["terminate", "terminate-hard", "recover"]
    assert bench.log()[-1] == "E Role a : Terminate failed for VM 0, will perform a Delete; [one.vm.action] Wrong state"


async def test_a_vm_that_cannot_be_ended_at_all_fails_the_removal(bench: Bench) -> None:
    await bench.running([role("a")])
    refusal = ActionRefused("Wrong state")
    bench.vms.refuse |= {"terminate": refusal, "terminate-hard": refusal, "recover": refusal}
    with pytest.raises(errors.Refused, match="Error undeploying nodes for role `a`"):
        bench.lifecycle.undeploy(ONEADMIN, bench.id)
    assert (bench.state, bench.states()) == ("FAILED_UNDEPLOYING", {"a": "FAILED_UNDEPLOYING"})


@pytest.mark.parametrize(
    ("service", "of_role", "action"),
    [
        ({}, {}, "terminate"),
        ({"shutdown_action": "terminate-hard"}, {}, "terminate-hard"),
        ({"shutdown_action": "terminate-hard"}, {"shutdown_action": "terminate"}, "terminate"),
    ],
)
async def test_vms_end_as_role_or_service_say(
    bench: Bench, service: dict[str, str], of_role: dict[str, str], action: str
) -> None:
    await bench.running([role("a", **of_role)], **service)
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    assert bench.vms.calls[-1][0] == action


@pytest.mark.parametrize("state", ["DEPLOYING_NETS", "DEPLOYING", "SCALING", "COOLDOWN"])
async def test_a_service_on_its_way_cannot_be_deleted(bench: Bench, state: str) -> None:
    bench.create([role("a")])
    if state in {"SCALING", "COOLDOWN"}:
        await bench.until("RUNNING")
        bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    await bench.until(state)
    with pytest.raises(errors.Refused, match=f"Service cannot be undeployed in state: {state}"):
        bench.lifecycle.undeploy(ONEADMIN, bench.id)


async def test_a_second_delete_lets_the_first_one_finish(bench: Bench) -> None:
    await bench.running([role("a")])
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    assert bench.state == "UNDEPLOYING"
    await bench.until("gone")


@pytest.mark.parametrize("state", ["RUNNING", "WARNING"])
async def test_a_healthy_service_cannot_be_recovered(bench: Bench, state: str) -> None:
    await bench.running([role("a")])
    if state == "WARNING":
        bench.vms.put(0, POWEROFF)
        await bench.step()
    with pytest.raises(errors.Refused, match=f"Service cannot be recovered in state: {state}"):
        bench.lifecycle.recover(ONEADMIN, bench.id)


async def test_a_removal_that_was_cut_short_by_a_kill_goes_on(bench: Bench) -> None:
    await bench.running(FAMILY, deployment="none")
    bench.zone.documents.stored[bench.id]["TEMPLATE"]["BODY"]["state"] = int(ServiceState.UNDEPLOYING)
    await bench.until("gone")
    assert {bench.vms.state(vm_id) for vm_id in bench.vms.vms} == {DONE}


async def test_a_deployment_that_was_cut_short_by_a_kill_makes_only_what_is_missing(bench: Bench) -> None:
    bench.create([role("a", 3)])
    bench.vms.refuse["instantiate"] = KeyboardInterrupt  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        await bench.step()
    bench.vms.refuse.clear()
    await bench.until("RUNNING")
    assert len(bench.vms.vms) == 3


async def test_growth_that_was_cut_short_by_a_kill_makes_only_what_is_missing(bench: Bench) -> None:
    await bench.running([role("a", 1)])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    bench.zone.documents.stored[bench.id]["TEMPLATE"]["BODY"]["roles"][0]["cardinality"] = 3
    await bench.until("RUNNING")
    assert (len(bench.role("a").nodes), len(bench.vms.vms)) == (3, 3)


async def test_shrinking_that_was_cut_short_by_a_kill_ends_the_rest(bench: Bench) -> None:
    await bench.running([role("a", 3)])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, False)
    bench.zone.documents.stored[bench.id]["TEMPLATE"]["BODY"]["roles"][0]["cardinality"] = 1
    await bench.until("RUNNING")
    assert bench.role("a").node_ids == [2]
    assert bench.vms.state(1) == DONE
