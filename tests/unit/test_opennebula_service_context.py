"""ServiceContext against VMs that answer from memory: what is merged, what is left alone, what is waited for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import pytest

from pulumi_opennebula.definitions.service_context import SERVICE_CONTEXT
from pulumi_opennebula.errors import FailedObjectError, InputError, NotFoundError, WaitedTooLongError
from pulumi_opennebula.provider.checks import Findings, checked
from pulumi_opennebula.provider.resources.base import Call
from pulumi_opennebula.provider.resources.service_context import ServiceContextHandler, has_acknowledged
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.templates import Body, body_of, parse
from pulumi_opennebula.provider.values import UNKNOWN
from pulumi_opennebula.provider.zone import Zone

HANDLER = ServiceContextHandler()
SETTINGS = ZoneSettings(endpoint="http://127.0.0.1:2633/RPC2", username="a", password="b")


@dataclass
class Vm:
    """One VM in memory; its guest acknowledges at once unless it is deaf."""

    context: dict[str, str]
    state: tuple[int, int] = (3, 3)
    hotplug_reads: int = 0
    """How many more times it is seen in HOTPLUG."""
    deaf: bool = False
    keeps_old: bool = False
    user: dict[str, str] = field(default_factory=dict)

    def xml(self, number: int) -> str:
        state, lcm = self.state
        if self.hotplug_reads:
            self.hotplug_reads -= 1
            lcm = 17
        parts = ["".join(f"<{key}>{escape(value)}</{key}>" for key, value in d.items()) for d in _both(self)]
        return (
            f"<VM><ID>{number}</ID><STATE>{state}</STATE><LCM_STATE>{lcm}</LCM_STATE>"
            f"<TEMPLATE><CONTEXT>{parts[0]}</CONTEXT></TEMPLATE><USER_TEMPLATE>{parts[1]}</USER_TEMPLATE></VM>"
        )


def _both(vm: Vm) -> tuple[dict[str, str], dict[str, str]]:
    return vm.context, vm.user


class Cloud:
    """oned and OneFlow with the VMs of one service, which has the number 5 and the role `node`."""

    def __init__(self, vms: dict[int, Vm]) -> None:
        self.vms = vms
        self.updates: list[tuple[int, dict[str, str], int]] = []
        self.clock = 0.0
        self.lines: list[str] = []

    async def call(self, method: str, *arguments: Any) -> Any:
        await asyncio.sleep(0)
        if method == "vmpool.infoextended":
            return "<VM_POOL>" + "".join(vm.xml(number) for number, vm in self.vms.items()) + "</VM_POOL>"
        number = arguments[0]
        if number not in self.vms:
            raise NotFoundError(f"one.{method}", "it must be there", "no such VM", "Check the id")
        vm = self.vms[number]
        if method == "vm.info":
            return vm.xml(number)
        assert method == "vm.updateconf"
        ((name, vector),) = parse(arguments[1])
        assert name == "CONTEXT" and isinstance(vector, dict)
        self.updates.append((number, vector, arguments[2]))
        if not vm.keeps_old:
            vm.context |= vector
        if not vm.deaf and "REV" in vector:
            vm.user["REV"] = vector["REV"]
        return number

    async def info(self, method: str, *arguments: Any) -> Body:
        return body_of(str(await self.call(method, *arguments)))

    async def get(self, path: str) -> Any:
        if path != "/service/5":
            raise NotFoundError(path, "it must be there", "no such service", "Check the id")
        nodes = [{"deploy_id": number} for number in self.vms]
        return {"DOCUMENT": {"ID": "5", "TEMPLATE": {"BODY": {"roles": [{"name": "node", "nodes": nodes}]}}}}

    async def pause(self, seconds: float) -> None:
        self.clock += seconds
        await asyncio.sleep(0)

    def zone(self) -> Zone:
        return Zone(SETTINGS, oned=self, flow=self, now=lambda: self.clock, pause=self.pause)  # type: ignore[arg-type]

    def operation(self, operation: str = "update") -> Call:
        return Call(zone=self.zone(), operation=operation, timeout_s=60.0, progress=self.lines.append)


def inputs(variables: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"serviceId": 5, "role": "node", "variables": variables, **more}


async def test_only_what_differs_is_merged_and_a_vm_that_has_it_already_is_left_alone() -> None:
    cloud = Cloud({7: Vm({"A": "1", "B": "2", "VMID": "7"}), 8: Vm({"A": "9", "B": "2"})})
    id_ = await HANDLER.create(cloud.operation("create"), inputs({"A": "9", "B": "2"}))
    assert id_ == "5:node"
    assert cloud.updates == [(7, {"A": "9"}, 1)]
    assert cloud.vms[7].context == {"A": "9", "B": "2", "VMID": "7"}


async def test_values_are_not_in_what_is_shown_meanwhile() -> None:
    cloud = Cloud({7: Vm({"KEY": "old"})})
    await HANDLER.update(cloud.operation(), "5:node", inputs({"KEY": "old"}), inputs({"KEY": "hush"}))
    assert cloud.lines == ["VM 7: KEY changed in its CONTEXT"]


async def test_a_variable_that_is_no_longer_named_becomes_empty() -> None:
    cloud = Cloud({7: Vm({"A": "1", "B": "2"})})
    await HANDLER.update(cloud.operation(), "5:node", inputs({"A": "1", "B": "2"}), inputs({"A": "1"}))
    assert cloud.updates == [(7, {"B": ""}, 1)]


async def test_the_acknowledgement_of_each_vm_is_waited_for_before_the_next_gets_the_change() -> None:
    cloud = Cloud({7: Vm({"REV": "1"}), 8: Vm({"REV": "1"})})
    order: list[str] = []
    progress: Callable[[str], None] = order.append
    call = Call(zone=cloud.zone(), operation="update", timeout_s=60.0, progress=progress)
    await HANDLER.update(call, "5:node", inputs({"REV": "1"}), inputs({"REV": "2"}, acknowledgement="REV", atOnce=1))
    assert [number for number, _, _ in cloud.updates] == [7, 8]
    assert (cloud.vms[7].user, cloud.vms[8].user) == ({"REV": "2"}, {"REV": "2"})


async def test_a_guest_that_never_acknowledges_ends_the_wait_with_its_last_word() -> None:
    cloud = Cloud({7: Vm({"REV": "1"}, deaf=True, user={"REV": "1"}), 8: Vm({"REV": "1"})})
    with pytest.raises(WaitedTooLongError, match=re.escape("VM 7 (which has its new CONTEXT) is at REV 1 after 60 s")):
        await HANDLER.update(
            cloud.operation(), "5:node", inputs({"REV": "1"}), inputs({"REV": "2"}, acknowledgement="REV")
        )
    assert cloud.vms[8].user == {"REV": "2"}, "the others are not kept from it"


async def test_a_vm_that_is_being_hot_plugged_is_waited_for_before_and_after() -> None:
    cloud = Cloud({7: Vm({"A": "1"}, hotplug_reads=3)})
    await HANDLER.create(cloud.operation("create"), inputs({"A": "2"}))
    assert cloud.updates == [(7, {"A": "2"}, 1)]


async def test_a_vm_that_is_off_gets_the_context_and_is_not_waited_for() -> None:
    cloud = Cloud({7: Vm({"REV": "1"}, state=(8, 0), deaf=True)})
    await HANDLER.create(cloud.operation("create"), inputs({"REV": "2"}, acknowledgement="REV"))
    assert cloud.vms[7].context["REV"] == "2"


async def test_a_vm_that_is_done_is_passed_over() -> None:
    cloud = Cloud({7: Vm({"A": "1"}, state=(6, 0))})
    await HANDLER.create(cloud.operation("create"), inputs({"A": "2"}))
    assert cloud.updates == []


async def test_a_vm_that_does_not_show_what_oned_accepted_is_an_error_without_the_values() -> None:
    cloud = Cloud({7: Vm({"KEY": "old"}, keeps_old=True)})
    with pytest.raises(FailedObjectError, match="other values of KEY") as caught:
        await HANDLER.create(cloud.operation("create"), inputs({"KEY": "hush"}))
    assert "hush" not in str(caught.value)


async def test_reading_shows_the_value_of_a_vm_that_differs_and_nothing_where_the_service_is_gone() -> None:
    cloud = Cloud({7: Vm({"A": "1", "B": "2"}), 8: Vm({"A": "changed by hand", "B": "2"})})
    state = await HANDLER.read(cloud.operation("read"), "5:node", inputs({"A": "1", "B": "2"}))
    assert state is not None
    assert (state["variables"], state["vmIds"]) == ({"A": "changed by hand", "B": "2"}, [7, 8])
    assert await HANDLER.read(cloud.operation("read"), "6:node", inputs({"A": "1"})) is None


async def test_a_role_that_the_service_has_not_is_refused() -> None:
    cloud = Cloud({7: Vm({"A": "1"})})
    with pytest.raises(InputError, match="role 'other'"):
        await HANDLER.create(cloud.operation("create"), {**inputs({"A": "2"}), "role": "other"})


@pytest.mark.parametrize(
    ("given", "path", "word"),
    [
        (inputs({"fl_x": "1"}), "variables.fl_x", "capitals"),
        (inputs({"ETH0_IP": "10.0.0.1"}), "variables.ETH0_IP", "makes ETH*"),
        (inputs({"VMID": "1"}), "variables.VMID", "makes ETH*"),
        (inputs({"A": "costs $NAME"}), "variables.A", "replaces `$NAME`"),
        (inputs({"A": "1"}, acknowledgement="B"), "acknowledgement", "Name a variable"),
        (inputs({"A": "1"}, atOnce=0), "atOnce", "no VM would ever"),
    ],
)
def test_what_oned_or_the_guest_could_not_take_is_refused(given: dict[str, Any], path: str, word: str) -> None:
    findings = Findings(owner="ServiceContext x")
    HANDLER.check(checked(SERVICE_CONTEXT.record, given, findings), findings)
    ((found),) = findings.refusals
    assert found.path == path
    assert word in str(found)


def test_values_that_are_not_known_yet_are_no_reason_to_refuse() -> None:
    findings = Findings(owner="ServiceContext x")
    given = inputs({"A": UNKNOWN, "REV": "1"}, acknowledgement="REV")  # type: ignore[dict-item]
    HANDLER.check(checked(SERVICE_CONTEXT.record, given, findings), findings)
    assert findings.refusals == []


def test_a_vm_whose_devices_change_meanwhile_is_still_waited_for() -> None:
    body = {"STATE": "3", "LCM_STATE": "25", "USER_TEMPLATE": {"REVISION": "1"}}
    assert not has_acknowledged(body, "REVISION", "2")
    assert not has_acknowledged({**body, "LCM_STATE": "3"}, "REVISION", "2")
    assert has_acknowledged({**body, "LCM_STATE": "3"}, "REVISION", "1")
    assert has_acknowledged({**body, "STATE": "8", "LCM_STATE": "0"}, "REVISION", "2")
