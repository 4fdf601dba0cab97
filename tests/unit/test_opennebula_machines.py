"""VMs as a real OpenNebula 7.0.1 showed them, as properties; what a change of them sends; what their states mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_opennebula.definitions.virtual_machine import VIRTUAL_MACHINE
from pulumi_opennebula.errors import FailedObjectError, InputError, NotRunningError
from pulumi_opennebula.provider.diffs import changes
from pulumi_opennebula.provider.resources import machine_devices as devices
from pulumi_opennebula.provider.resources import machine_states
from pulumi_opennebula.provider.resources import machine_values as values
from pulumi_opennebula.provider.resources.machine_states import Phase
from pulumi_opennebula.provider.resources.virtual_machine import VirtualMachineHandler
from pulumi_opennebula.provider.states import adopted, imported_inputs, settled
from pulumi_opennebula.provider.templates import Body, body_of
from pulumi_opennebula.provider.values import UNKNOWN, Values

RECORDED: dict[str, str] = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "opennebula_machines.json").read_text()
)["oned"]
HANDLER = VirtualMachineHandler()


def recorded(name: str) -> Body:
    return body_of(RECORDED[name])


def vm(template: dict[str, Any] | None = None, user: dict[str, Any] | None = None, state: str = "3") -> Body:
    return {"ID": "7", "NAME": "a", "STATE": state, "LCM_STATE": "3" if state == "3" else "0",
            "TEMPLATE": {"CPU": "0.1", "MEMORY": "64", **(template or {})}, "USER_TEMPLATE": user or {}}  # fmt: skip


def nic(number: int, ip: str, network: str = "3", **more: str) -> dict[str, str]:
    return {"NIC_ID": str(number), "NETWORK_ID": network, "IP": ip, "NAME": f"NIC{number}", **more}


def silent(line: str) -> None:
    """A progress that nobody looks at."""


def state_of(body: Body, inputs: Values, source: Body | None = None) -> Values:
    return settled(VIRTUAL_MACHINE, inputs, values.properties(body, inputs, {}, source))


def differences(body: Body, inputs: Values) -> list[Any]:
    return changes(VIRTUAL_MACHINE.record, state_of(body, inputs), inputs)


def test_an_alias_and_its_card_show_what_the_program_says_and_what_the_cloud_chose() -> None:
    inputs = {
        "name": "test-nic-alias-no-ip",
        "nics": [{"name": "test-nic-0", "networkId": 16, "ip": "172.16.100.153"}],
        "nicAliases": [{"parent": "test-nic-0", "networkId": 16}],
        "context": {"network": "YES", "SET_HOSTNAME": "$NAME"},
    }
    state = state_of(recorded("alias"), inputs)
    (card,) = state["nics"]
    assert (card["nicId"], card["computedIp"], card["computedMac"]) == (0, "172.16.100.153", "02:00:ac:10:64:99")
    (alias,) = state["nicAliases"]
    assert (alias["computedAliasId"], alias["computedParentId"], alias["computedIp"]) == (0, 0, "172.16.100.100")
    assert "ip" not in alias
    assert state["ip"] == "172.16.100.153"
    assert state["context"] == {"network": "YES", "SET_HOSTNAME": "$NAME"}
    assert differences(recorded("alias"), inputs) == []


def test_disks_of_images_and_volatile_ones_are_told_apart_and_grown_ones_show_their_size() -> None:
    inputs = {
        "name": "test-virtual_machine",
        "disks": [
            {"volatileType": "swap", "size": 16, "target": "vda"},
            {"imageId": 6, "target": "vdd", "size": 16},
            {"imageId": 6, "target": "vde", "size": 64},
        ],
    }
    state = state_of(recorded("disks"), inputs)
    assert [disk["diskId"] for disk in state["disks"]] == [1, 2, 3]
    assert [disk["size"] for disk in state["disks"]] == [16, 32, 64]
    assert "volatileType" not in state["disks"][1]
    assert [change.path for change in differences(recorded("disks"), inputs)] == [("disks", 1, "size")]


def test_what_is_imported_from_a_real_cloud_shows_no_difference_to_itself() -> None:
    for name in ("alias", "disks", "of_template", "boot_failure"):
        state = settled(VIRTUAL_MACHINE, {}, values.properties(recorded(name), None, {}, None))
        inputs = imported_inputs(VIRTUAL_MACHINE, state)
        assert inputs["name"] and changes(VIRTUAL_MACHINE.record, HANDLER.adopted(state, inputs), inputs) == []
        assert not {key for key in inputs.get("context") or {} if key.startswith("ETH")}


def test_an_import_of_a_vm_whose_program_names_less_shows_no_difference() -> None:
    state = settled(VIRTUAL_MACHINE, {}, values.properties(recorded("alias"), None, {}, None))
    program = {"name": "test-nic-alias-no-ip", "cpu": 0.1, "memory": 128, "nics": [{"networkId": 16}],
               "nicAliases": [{"parent": "test-nic-0"}], "context": {"SET_HOSTNAME": "$NAME"}}  # fmt: skip
    assert changes(VIRTUAL_MACHINE.record, HANDLER.adopted(adopted(state, program), program), program) == []


def test_groups_of_the_network_beside_a_cards_own_are_no_difference() -> None:
    inputs = {"nics": [{"networkId": 3, "securityGroups": [104]}]}
    body = vm({"NIC": nic(0, "10.0.0.1", SECURITY_GROUPS="0,104")})
    assert differences(body, inputs) == []
    assert state_of(body, inputs)["nics"][0]["computedSecurityGroups"] == [0, 104]


def test_a_card_with_an_address_of_its_own_is_not_taken_for_another() -> None:
    body = vm({"NIC": [nic(0, "10.0.0.11"), nic(1, "10.0.0.12")]})
    inputs = {"nics": [{"networkId": 3}, {"networkId": 3, "ip": "10.0.0.11"}]}
    state = state_of(body, inputs)
    assert [card["nicId"] for card in state["nics"]] == [1, 0]
    assert changes(VIRTUAL_MACHINE.record, state, inputs) == []


def test_cards_that_are_gone_or_came_behind_the_back_are_found() -> None:
    inputs = {"nics": [{"networkId": 3}, {"networkId": 4}]}
    state = state_of(vm({"NIC": [nic(0, "10.0.0.1"), nic(2, "10.9.0.1", "9")]}), inputs)
    assert [card["networkId"] for card in state["nics"]] == [3, 9]
    assert changes(VIRTUAL_MACHINE.record, state, inputs) != []


def test_what_the_template_brought_is_an_output_and_stays_when_the_program_adds_cards() -> None:
    source: Body = {"TEMPLATE": {"NIC": {"NETWORK_ID": "3"}, "ENVIRONMENT": "test", "CONTEXT": {"ROLE": "base"}}}
    body = vm({"NIC": nic(0, "10.0.0.1"), "TEMPLATE_ID": "5"}, {"ENVIRONMENT": "test", "READY": "YES"})
    inputs: Values = {"templateId": 5}
    state = state_of(body, inputs, source)
    assert state["templateTags"] == {"ENVIRONMENT": "test"}
    assert [card["nicId"] for card in state["templateNics"]] == [0] and "nics" not in state
    new = {"templateId": 5, "nics": [{"networkId": 4}]}
    plan = devices.plan(devices.NICS, body["TEMPLATE"], state, new)
    assert (plan.detach, plan.attach) == ((), ({"NETWORK_ID": "4"},))
    both = vm({"NIC": [nic(0, "10.0.0.1"), nic(1, "10.4.0.1", "4")], "TEMPLATE_ID": "5"})
    carried = {name: state[name] for name in HANDLER.carried if name in state}
    after = settled(VIRTUAL_MACHINE, new, values.properties(both, carried | new, {}, None))
    assert [card["nicId"] for card in after["nics"]] == [1]
    assert [card["nicId"] for card in after["templateNics"]] == [0]


def test_a_plan_detaches_what_changed_grows_disks_and_attaches_what_is_missing() -> None:
    body = vm({"DISK": [{"DISK_ID": "0", "IMAGE_ID": "1", "SIZE": "16", "TARGET": "vda", "TYPE": "FILE"},
                        {"DISK_ID": "1", "TYPE": "swap", "SIZE": "8"}]})  # fmt: skip
    old = state_of(body, {"disks": [{"imageId": 1}, {"volatileType": "swap", "size": 8}]})
    new = {"disks": [{"imageId": 1, "size": 32}, {"volatileType": "fs", "size": 8}]}
    plan = devices.plan(devices.DISKS, body["TEMPLATE"], old, new)
    assert plan == devices.Plan(detach=(1,), grow=((0, 32),), attach=({"SIZE": "8", "TYPE": "fs"},))
    assert devices.plan(devices.DISKS, body["TEMPLATE"], old, old) == devices.Plan()


def test_a_property_that_a_card_cannot_lose_attaches_it_again_and_an_address_it_keeps() -> None:
    body = vm({"NIC": nic(0, "10.0.0.1", SECURITY_GROUPS="0,104", MODEL="virtio")})
    old = state_of(body, {"nics": [{"networkId": 3, "ip": "10.0.0.1", "securityGroups": [104]}]})
    without_group = {"nics": [{"networkId": 3, "ip": "10.0.0.1"}]}
    assert devices.plan(devices.NICS, body["TEMPLATE"], old, without_group).detach == (0,)
    without_address = {"nics": [{"networkId": 3, "securityGroups": [104]}]}
    assert devices.plan(devices.NICS, body["TEMPLATE"], old, without_address) == devices.Plan()


def test_the_order_of_cards_is_kept_where_that_is_asked_for_and_moved_ones_ask_for_their_address() -> None:
    body = vm({"NIC": [nic(0, "10.0.0.1"), nic(1, "10.0.0.2")]})
    old = state_of(body, {"nics": [{"networkId": 3, "name": "NIC0"}, {"networkId": 3, "name": "NIC1"}]})
    new = {"nics": [{"networkId": 3, "name": "NIC0"}, {"networkId": 4}, {"networkId": 3, "name": "NIC1"}]}
    free = devices.plan(devices.NICS, body["TEMPLATE"], old, new)
    assert (free.detach, free.attach) == ((), ({"NETWORK_ID": "4"},))
    kept = devices.plan(devices.NICS, body["TEMPLATE"], old, new, in_order=True)
    assert kept.detach == (1,)
    assert kept.attach == ({"NETWORK_ID": "4"}, {"NETWORK_ID": "3", "IP": "10.0.0.2", "NAME": "NIC1"})


def test_a_disk_never_shrinks_and_recreate_replaces_only_for_disks_that_are_lost() -> None:
    body = vm({"DISK": {"DISK_ID": "0", "IMAGE_ID": "1", "SIZE": "32", "TARGET": "vda", "TYPE": "FILE"}})
    old = state_of(body, {"disks": [{"imageId": 1, "size": 32}], "pending": False})
    recreate = {"onDiskChange": "RECREATE"}
    with pytest.raises(InputError, match=r"disks\[0\].size is 16 and the disk has 32 MB.*Give size 32 or more"):
        HANDLER.refine([], old, {"disks": [{"imageId": 1, "size": 16}]})

    def replaces(new: Values) -> bool:
        found = HANDLER.refine(changes(VIRTUAL_MACHINE.record, old, new), old, new)
        return any(change.replace for change in found)

    assert not replaces(recreate | {"disks": [{"imageId": 1, "size": 64}]})
    assert not replaces(recreate | {"disks": [{"imageId": 1, "size": 32}, {"imageId": 2}]})
    assert replaces(recreate | {"disks": [{"imageId": 2}]})
    assert replaces(recreate | {"disks": [{"imageId": UNKNOWN}, {"imageId": 9}]})
    assert not replaces({"disks": [{"imageId": 2}]})


def test_holding_replaces_a_vm_and_releasing_does_not() -> None:
    running, held = {"pending": False}, {"pending": True}
    again = HANDLER.refine(changes(VIRTUAL_MACHINE.record, running, held), running, held)
    assert [change.replace for change in again] == [True]
    released = HANDLER.refine(changes(VIRTUAL_MACHINE.record, held, running), held, running)
    assert [change.replace for change in released] == [False]


def test_a_vm_that_was_found_broken_is_a_change_that_mends_it() -> None:
    state = state_of(recorded("boot_failure"), {"name": "fail"})
    assert [(change.path, change.replace) for change in HANDLER.refine([], state, {"name": "fail"})] == [
        (("lcmstate",), False)
    ]


def test_context_is_extended_where_nothing_goes_and_replaced_with_everything_else_where_something_does() -> None:
    body = vm({"CONTEXT": {"NETWORK": "YES", "OLD": "1", "ETH0_IP": "10.0.0.1", "DISK_ID": "0", "TARGET": "hda"},
               "OS": {"UUID": "u", "ARCH": "x86_64", "INITRD_DS": ""}, "FEATURES": {"ACPI": "YES"}})  # fmt: skip
    old: Values = {"context": {"NETWORK": "YES", "OLD": "1"}}
    more: Values = {"context": {"NETWORK": "YES", "OLD": "1", "new": "2"}}
    assert values.conf_change(body, old, more, frozenset({"context"})) == (
        [("CONTEXT", {"NETWORK": "YES", "OLD": "1", "NEW": "2"})],
        True,
    )
    sent, extend = values.conf_change(body, old, {"context": {"NETWORK": "NO"}}, frozenset({"context"}))
    assert not extend
    assert dict(sent) == {
        "OS": {"UUID": "u", "ARCH": "x86_64", "INITRD_DS": ""},
        "FEATURES": {"ACPI": "YES"},
        "CONTEXT": {"DISK_ID": "0", "TARGET": "hda", "NETWORK": "NO"},
    }


def test_a_changed_boot_order_keeps_the_uuid_that_oned_chose() -> None:
    body = vm({"OS": {"UUID": "u", "ARCH": "x86_64", "BOOT": "disk0"}})
    old: Values = {"os": {"arch": "x86_64", "boot": "disk0"}}
    new: Values = {"os": {"arch": "x86_64", "boot": "nic0"}}
    sent, extend = values.conf_change(body, old, new, frozenset({"os"}))
    assert (sent, extend) == ([("OS", {"UUID": "u", "ARCH": "x86_64", "BOOT": "nic0"})], True)


def test_what_the_guest_writes_survives_a_change_of_tags() -> None:
    body = vm(user={"READY": "YES", "ENV": "prod", "OWNER": "a"})
    old: Values = {"tags": {"env": "prod", "owner": "a"}, "tagsAll": {"env": "prod", "owner": "a"}}
    more, extend = values.user_change(body, old, {"tags": {"env": "dev", "owner": "a"}}, {})
    assert extend and dict(more) == {"ENV": "dev", "OWNER": "a"}
    less, extend = values.user_change(body, old, {"tags": {"env": "dev"}}, {})
    assert not extend and dict(less) == {"READY": "YES", "ENV": "dev"}


def test_a_vm_of_a_template_merges_context_and_leaves_the_rest_to_the_template() -> None:
    source: Body = {"TEMPLATE": {"CONTEXT": {"NETWORK": "YES", "ROLE": "base"}, "NIC": {"NETWORK_ID": "3"}}}
    text = dict(values.creation({"context": {"role": "mine"}, "memory": 96}, {}, source))
    assert text == {"MEMORY": "96", "CONTEXT": {"NETWORK": "YES", "ROLE": "mine"}}
    assert values.creation({}, {}, source) == []


def test_states_mean_what_one_who_waits_needs_to_know() -> None:
    assert machine_states.phase_of(recorded("boot_failure")) is Phase.FAILED
    assert machine_states.phase_of(recorded("done")) is Phase.GONE is machine_states.phase_of(None)
    assert machine_states.phase_of(recorded("alias")) is Phase.RUNNING
    assert machine_states.phase_of(recorded("pending")) is Phase.BUSY
    assert machine_states.phase_of(vm(state="8")) is Phase.OFF
    assert machine_states.described(recorded("pending")).endswith("Not enough capacity in hosts 0)")


def test_a_new_vm_that_cannot_boot_is_an_error_with_what_oned_wrote() -> None:
    with pytest.raises(FailedObjectError, match=r"'fail' is BOOT_FAILURE.*DEPLOY: dummy:fail:dummy.*replaces the VM"):
        machine_states.comes_up(silent, held=False)(recorded("boot_failure"))
    with pytest.raises(FailedObjectError, match="the guest stopped by itself"):
        machine_states.comes_up(silent, held=False)(vm(state="8"))


def test_a_vm_that_ran_before_is_kept_when_it_fails_and_the_error_says_how_to_go_on() -> None:
    with pytest.raises(NotRunningError, match=r"DEPLOY: dummy:fail:dummy.*the next `pulumi up` tries to recover it"):
        machine_states.comes_to_rest(silent)(recorded("boot_failure"))


def test_a_guest_that_does_not_stop_when_asked_to_is_an_error_that_names_hard_shutdown() -> None:
    goes = machine_states.goes(silent)
    assert not goes(vm())
    assert not goes({**vm(), "LCM_STATE": "12"})
    with pytest.raises(NotRunningError, match="hard_shutdown=True"):
        goes(vm())


@pytest.mark.parametrize("decide", [machine_states.goes(silent), machine_states.comes_to_rest(silent, "POWEROFF")])
def test_a_guest_whose_stop_fails_between_two_looks_is_noticed_and_a_slow_oned_is_waited_for(decide: Any) -> None:
    looks = 0
    with pytest.raises(NotRunningError, match=r"OpenNebula gave up \(the guest does not react\)"):
        while not decide(vm(user={"ERROR": "the guest does not react"})):
            looks += 1
    assert looks == machine_states.LOOKS_BEFORE_IT_STOPS


def test_progress_is_told_once_a_state() -> None:
    lines: list[str] = []
    decide = machine_states.comes_up(lines.append, held=False)
    for body in (recorded("pending"), recorded("pending"), recorded("alias")):
        decide(body)
    assert len(lines) == 2 and lines[1] == "VM test-nic-alias-no-ip: RUNNING"
