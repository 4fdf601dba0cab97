"""What a rolling upgrade decides of a VM, and what `federation upgrade` makes of a stack and of a report."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from flower_federation import cli
from flower_federation.errors import InputError
from flower_federation.stacks import StackFile
from flower_federation.upgrade_cli import request_of, told
from flower_federation.upgrade_facts import (
    MARK,
    Origin,
    Target,
    Vm,
    attach_attributes,
    boot_order,
    mark_of,
    needs,
    order,
    origin_of,
    vm_of,
    without_image,
)
from flower_federation.upgrading import Report
from pulumi_opennebula.provider.resources.machine_states import Phase

NEW = Target(image_id=9, name="new", version="1.42.0")
SYSTEM = {"DISK_ID": "0", "IMAGE_ID": "4", "TARGET": "vda", "DEV_PREFIX": "vd", "SIZE": "2048", "CACHE": ""}
STATE = {"DISK_ID": "1", "IMAGE_ID": "5", "TARGET": "vdb"}
DATA = {"DISK_ID": "3", "TYPE": "fs", "TARGET": "vdc"}


def body(disks: Any, *, mark: str = "", boot: str = "", version: str = "1.41.0", number: int = 7) -> dict[str, Any]:
    return {
        "ID": str(number),
        "NAME": "supernode_0_(service_3)",
        "STATE": "3",
        "LCM_STATE": "3",
        "TEMPLATE": {"DISK": disks, "OS": {"BOOT": boot}, "CONTEXT": {"FL_FLOWER_VERSION": version}},
        "USER_TEMPLATE": {"READY": "YES", "FL_STATE": "online", MARK: mark},
    }


def origin_in(vm: Vm) -> Origin:
    assert vm.origin is not None
    return vm.origin


def test_the_system_disk_is_the_first_with_an_image_and_its_successor_keeps_device_and_bus() -> None:
    vm = vm_of(body([SYSTEM, STATE, DATA]))
    assert (vm.image_id, vm.disk_id, vm.came_from, vm.phase) == (4, 0, None, Phase.RUNNING)
    wanted = {"IMAGE_ID": "9", "DEV_PREFIX": "vd", "TARGET": "vda"}
    assert attach_attributes(9, origin_in(vm)) == wanted
    later = vm_of(body([STATE, DATA], mark=mark_of(origin_in(vm))))
    assert attach_attributes(9, origin_in(later)) == wanted, "the mark remembers what the missing disk cannot say"


def test_after_an_upgrade_the_disk_that_is_booted_is_the_system_disk_and_not_the_state_with_its_lower_number() -> None:
    exchanged = {**SYSTEM, "DISK_ID": "4", "IMAGE_ID": "9"}
    assert vm_of(body([STATE, DATA, exchanged], boot="nic0,disk4")).image_id == 9
    assert vm_of(body([STATE, DATA, exchanged], boot="nic0,disk7")).image_id == 5, "nothing says more than the numbers"


def test_once_the_system_disk_is_gone_the_state_is_not_taken_for_it() -> None:
    gone = vm_of(body([STATE, DATA], mark="4|vda"))
    assert (gone.image_id, gone.disk_id, origin_in(gone).image_id) == (None, None, 4)
    back = vm_of(body([STATE, {**SYSTEM, "DISK_ID": "4", "IMAGE_ID": "9"}], mark="4|vda"))
    assert (back.image_id, back.disk_id, origin_in(back).image_id) == (9, 4, 4)


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("kept", [{}, {"TARGET": "vda"}, {"DEV_PREFIX": "vd", "TARGET": "vda", "CACHE": "none"}])
@pytest.mark.parametrize("version", ["1.41.0", ""])
def test_a_mark_says_how_the_vm_was(online: bool, kept: dict[str, str], version: str) -> None:
    origin = Origin(image_id=4, target=kept.get("TARGET", ""), version=version, online=online, kept=kept)
    assert origin_of(mark_of(origin), name="a") == origin


def test_a_mark_of_an_earlier_release_says_image_and_device() -> None:
    assert origin_of("4|vda", name="a") == Origin(image_id=4, target="vda", version=None, online=False, kept={})
    assert origin_of("", name="a") is None


@pytest.mark.parametrize("mark", ["None|", "4", "x|vda", "4|vda|1.41.0", "4|v d", "4|vda|1|online|CACHE=a|b"])
def test_a_mark_that_no_upgrade_wrote_is_refused_with_how_to_be_rid_of_it(mark: str) -> None:
    with pytest.raises(
        InputError, match=r"VM supernode_0_\(service_3\): FL_UPGRADE is[\s\S]*remedy: [\s\S]*remove FL_UP"
    ):
        vm_of(body([SYSTEM], mark=mark))


def test_a_vm_without_an_image_is_told_apart_from_one_whose_image_an_upgrade_took_away() -> None:
    bare, interrupted = vm_of(body([DATA], number=1)), vm_of(body([DATA], mark="4|vda", number=2))
    assert without_image([bare, interrupted, vm_of(body([SYSTEM], number=3))]) == (bare,)


@pytest.mark.parametrize(
    ("boot", "disks", "wanted"),
    [
        ("", {1, 3, 4}, "disk4"),
        ("disk0", {1, 3, 4}, "disk4"),
        ("nic0,disk0,disk1", {1, 3, 4}, "nic0,disk4,disk1"),
        ("nic0", {1, 4}, "disk4,nic0"),
        ("disk0,disk2", {1, 4}, "disk4"),
        ("nic0,disk4", {1, 4}, "nic0,disk4"),
        ("nic0", {4, 5}, "nic0"),
    ],
)
def test_the_new_disk_boots_where_the_old_one_did(boot: str, disks: set[int], wanted: str) -> None:
    assert boot_order(boot, frozenset(disks), 4) == wanted


@pytest.mark.parametrize(
    ("disk", "mark", "version", "left"),
    [
        ({**SYSTEM, "IMAGE_ID": "9"}, "", "1.42.0", False),
        ({**SYSTEM, "IMAGE_ID": "9"}, "4|vda", "1.42.0", True),
        ({**SYSTEM, "IMAGE_ID": "9"}, "", "1.41.0", True),
        (SYSTEM, "", "1.42.0", True),
    ],
)
def test_a_vm_is_done_with_the_image_the_version_and_no_mark(disk: Any, mark: str, version: str, left: bool) -> None:
    assert needs(vm_of(body(disk, mark=mark, version=version)), NEW) is left


def test_interrupted_vms_come_first_then_those_that_do_not_work_and_gone_ones_not_at_all() -> None:
    def vm(number: int, **changes: Any) -> Vm:
        found = body(SYSTEM, mark=changes.get("mark", ""), number=number)
        found["USER_TEMPLATE"]["READY"] = changes.get("ready", "YES")
        found["STATE"] = changes.get("state", "3")
        return vm_of(found)

    vms = [vm(1), vm(2, ready="NO"), vm(3, mark="4|vda"), vm(4), vm(5, state="6")]
    assert [each.id for each in order(vms, NEW)] == [3, 2, 1, 4]


def test_a_stack_is_upgraded_through_the_role_of_its_kind_and_one_that_is_not_up_is_refused() -> None:
    options = argparse.Namespace(max_unavailable=2, timeout=60.0)
    zone = StackFile(name="berlin", kind="zone", zone="berlin", central="madrid")
    request = request_of(zone, {"service_id": "12"}, options)
    assert (request.service_id, request.role, request.max_unavailable, request.ready_timeout_s) == (
        12,
        "supernode",
        2,
        60,
    )
    centre = StackFile(name="madrid", kind="central", zone="madrid", central=None)
    assert request_of(centre, {"service_id": "3"}, options).role == "superlink"
    with pytest.raises(InputError, match=r"stack berlin: not up[\s\S]*run federation up first"):
        request_of(zone, {}, options)


def test_the_report_names_what_went_back_and_why() -> None:
    report = Report(target=NEW, done=["a"], unchanged=["b", "c"], rolled_back={"d": "it says: no disk"})
    assert told({"berlin": report}) == (
        "berlin: 1 upgraded to new, 2 had it already\n  d is back on its old image: it says: no disk"
    )


@pytest.mark.parametrize("words", [["upgrade"], ["image", "publish"], ["image", "list"], ["image", "prune"]])
def test_the_commands_are_there(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.parser().parse_args([*words, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out
