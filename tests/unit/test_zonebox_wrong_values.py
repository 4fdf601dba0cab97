"""What one user gets wrong is refused in words, and stops or breaks nothing for anybody else in the zone."""

from __future__ import annotations

import xmlrpc.client
from pathlib import Path
from typing import Any

import pytest

from tests.patience import AT_ONCE_S, eventually
from tests.zonebox_model_support import StillZone
from zonebox.model.requirements import met
from zonebox.server import reply
from zonebox.template import parse
from zonebox.trees import listed

VM = 'NAME="v"\nCPU="1"\nMEMORY="64"'
RUNNING = ("3", "3")


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    return StillZone(tmp_path)


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("vm.allocate", ('NAME="x"\nCPU="nan"\nMEMORY="64"',), "CPU attribute must be a positive"),
        ("vm.allocate", ('NAME="x"\nCPU="inf"\nMEMORY="64"',), "CPU attribute must be a positive"),
        ("vm.allocate", (VM + '\nVCPU="many"',), "VCPU attribute must be a positive integer value"),
        ("vm.allocate", (VM + '\nVMGROUP=[VMGROUP_ID="g",ROLE="a"]',), "Wrong VMGROUP_ID g"),
        ("vm.allocate", (VM + '\nDISK=[IMAGE_ID="0",SIZE="big"]',), "Wrong SIZE big of a disk"),
        ("vm.resize", (0, 'CPU="x"', False), "CPU attribute must be a positive"),
        ("vm.resize", (0, 'VCPU="x"', False), "VCPU attribute must be a positive"),
        ("vmgroup.allocate", ('NAME="g"\nROLE=[NAME="a",HOST_AFFINED="h1"]',), "Wrong HOST_AFFINED h1"),
        ("user.quota", (0, 'VM=[CPU="x"]'), "Wrong CPU x in quota template"),
        ("user.quota", (0, 'VM=[CPU="nan"]'), "Wrong CPU nan in quota template"),
        ("template.allocate", ("<T>" + "<A>" * 40 + "</A>" * 40 + "</T>",), "more than 32 elements within each other"),
        ("template.allocate", ("<T>" + "<A>" * 9000 + "</A>" * 9000 + "</T>",), "elements within each other"),
        ("template.allocate", ('NAME="t"\nA&B="1"',), "'A&B' is no name of an attribute"),
        ("template.allocate", ('NAME="t"\n1A="1"',), "'1A' is no name of an attribute"),
        ("template.allocate", ('NAME="t"\nV=[ A<="1" ]',), "is no name of an attribute"),
    ],
)
async def test_a_value_that_is_none_is_refused_in_words(
    zone: StillZone, method: str, params: tuple[Any, ...], words: str
) -> None:
    zone.root("image.allocate", 'NAME="i"\nTYPE="DATABLOCK"\nSIZE="1"', 1)
    zone.root("vm.allocate", VM, True)
    code, text = zone.root.refused(method, *params)
    assert (code, words in text) == (8192, True), text


async def test_requirements_that_are_no_expression_leave_the_other_vms_their_hosts(zone: StillZone) -> None:
    # The last two take Python's regular expressions hours, for any host's name.
    endless = ["(" * 9 + ".+" + ")+" * 9 + "!", "(|)" * 40 + "!"]
    wrong = ['NAME =~ \\"[\\"', "(" * 5000 + "A = 1", *(f'NAME =~ \\"{pattern}\\"' for pattern in endless)]
    for text in wrong:
        zone.root("vm.allocate", f'{VM}\nSCHED_REQUIREMENTS="{text}"')
    right = zone.root("vm.allocate", VM)
    await zone.pass_time()
    assert zone.state(right) == RUNNING
    messages = [zone.vm(number)["USER_TEMPLATE"]["SCHED_MESSAGE"] for number in range(len(wrong))]
    assert all("Cannot allocate VM. Error parsing requirements" in message for message in messages)


@pytest.mark.parametrize(
    ("ar", "words"),
    [
        ('TYPE="ETHER",SIZE="999999999999999"', "Wrong SIZE for address range"),
        ('TYPE="IP4",IP="255.255.255.254",SIZE="3"', "Wrong SIZE for address range"),
        ('TYPE="IP4",IP="10.0.0.1",SIZE="2",GLOBAL_PREFIX="zz"', "Wrong format for GLOBAL_PREFIX attribute"),
        ('TYPE="IP6",SIZE="2",ULA_PREFIX="zz"', "Wrong format for ULA_PREFIX attribute"),
        ('TYPE="IP6_STATIC",SIZE="2",IP6="zz"', "Wrong format for IP6 attribute"),
    ],
)
async def test_an_address_range_whose_addresses_are_none_is_refused(zone: StillZone, ar: str, words: str) -> None:
    code, text = zone.root.refused("vn.allocate", f'NAME="n"\nVN_MAD="dummy"\nBRIDGE="b"\nAR=[{ar}]', -1)
    assert (code, words in text) == (8192, True), text


async def test_a_range_cannot_be_made_one_that_has_no_last_address(zone: StillZone) -> None:
    zone.network()
    await zone.pass_time()
    code, text = zone.root.refused("vn.update_ar", 0, 'AR=[AR_ID="0",SIZE="99999999999"]')
    assert (code, "Wrong SIZE for address range" in text) == (8192, True)
    assert listed(zone.root("vnpool.info", -2, -1, -1), "VNET")[0]["AR_POOL"]["AR"]["SIZE"] == "4"


async def test_what_xml_cannot_carry_does_not_make_a_vm_unreadable(zone: StillZone) -> None:
    number = zone.root("vm.allocate", VM)
    zone.zone.machines.update_user_template(number, {"SAID": "a\uffffb\ufffec\x01"})
    assert zone.vm(number)["USER_TEMPLATE"]["SAID"] == "abc"


async def test_an_id_that_no_number_of_xml_rpc_holds_is_not_found(zone: StillZone) -> None:
    body = xmlrpc.client.dumps((zone.zone.session, 77), "one.vm.info").replace(">77<", ">99999999999<")
    values: Any = xmlrpc.client.loads(reply(zone.zone.model, zone.zone.registry, body.encode()))[0][0]
    assert values == [False, "[one.vm.info] Error getting virtual machine [99999999999].", 1024, -1, -1]


async def test_a_vm_that_lost_its_os_section_starts_again_as_the_same_machine(zone: StillZone) -> None:
    number = zone.root("vm.allocate", VM)
    await zone.pass_time()
    uuid = zone.vm(number)["TEMPLATE"]["OS"]["UUID"]
    zone.root("vm.action", "poweroff", number)
    await zone.pass_time()
    zone.root("vm.updateconf", number, "OS=[]", 0)
    zone.root("vm.action", "resume", number)
    await zone.pass_time()
    assert (zone.state(number), zone.vm(number)["TEMPLATE"]["OS"]["UUID"]) == (RUNNING, uuid)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
async def test_a_request_cannot_hide_a_document_type_in_another_encoding(zone: StillZone, encoding: str) -> None:
    body = xmlrpc.client.dumps((zone.zone.session,), "one.system.version", encoding=encoding)
    bomb = body.replace("<methodCall>", '<!DOCTYPE m [<!ENTITY a "aaaa">]>\n<methodCall>')
    values: Any = xmlrpc.client.loads(reply(zone.zone.model, zone.zone.registry, bomb.encode(encoding)))[0][0]
    assert (values[0], values[2], "is not in UTF-8" in values[1]) == (False, 4096, True)


async def test_a_path_that_is_a_device_or_folder_is_an_image_in_error(zone: StillZone, tmp_path: Path) -> None:
    numbers = [zone.root("image.allocate", f'NAME="{path}"\nPATH="{path}"', 1) for path in ("/dev/zero", tmp_path)]

    async def refused() -> bool:
        await zone.pass_time()
        return all(zone.root("image.info", number)["STATE"] == "5" for number in numbers)

    await eventually(refused, "both images are in ERROR", AT_ONCE_S)
    assert "/dev/zero is no regular file" in zone.root("image.info", numbers[0])["TEMPLATE"]["ERROR"]


async def test_an_image_is_cloned_only_where_its_user_may_and_there_is_room(zone: StillZone) -> None:
    ann = zone.user("ann")
    number = ann("image.allocate", 'NAME="i"\nTYPE="DATABLOCK"\nSIZE="10"', 1)

    async def ready() -> bool:
        await zone.pass_time()
        return zone.root("image.info", number)["STATE"] == "1"

    await eventually(ready, "the image", AT_ONCE_S)
    other = zone.root("datastore.allocate", 'NAME="d"\nDS_MAD="fs"\nTM_MAD="local"', -1)
    zone.root("acl.delrule", 5)
    code, text = ann.refused("image.clone", number, "copy", other)
    assert (code, f"perform USE DATASTORE [{other}]" in text) == (512, True)
    with zone.zone.store.transaction():
        zone.zone.model.datastores.fill(1, zone.zone.settings.datastore_mb - 15)
    code, text = zone.root.refused("image.clone", number, "copy", -1)
    assert (code, "Not enough space in datastore" in text) == (8192, True)


async def test_what_a_deleted_user_leaves_goes_on(zone: StillZone) -> None:
    ann = zone.user("ann")
    context = 'CONTEXT=[TOKEN="YES",KEY="$USER[SSH_PUBLIC_KEY]"]'
    number = ann("vm.allocate", f"{VM}\n{context}")
    await zone.pass_time()
    zone.root("user.delete", 2)
    zone.root("vm.attach", number, 'DISK=[TYPE="fs",SIZE="1"]')
    await zone.pass_time()
    zone.root("vm.updateconf", number, context, 0)
    await zone.pass_time()
    for action in ("poweroff", "resume"):
        zone.root("vm.action", action, number)
        await zone.pass_time()
    assert (zone.state(number), zone.driver.started[number].token) == (RUNNING, None)


async def test_what_follows_a_call_that_is_stored_follows_also_where_a_part_of_it_fails(zone: StillZone) -> None:
    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    zone.zone.model.vm_forgotten = fails
    number = zone.root("vm.allocate", VM, True)
    waiting = zone.root("vm.allocate", VM)
    zone.root("vm.recover", number, 3)
    await zone.pass_time()
    assert (zone.state(number), zone.state(waiting)) == (("6", "0"), RUNNING)


def test_patterns_of_requirements_that_are_no_trap_count() -> None:
    host = {"NAME": "gpu-07.berlin"}
    assert met('NAME =~ "^gpu-[0-9]+[.](berlin|paris|rome|madrid|bonn|ulm|jena|kiel)$"', host)
    assert met(r'NAME =~ "(gpu|cpu)-.*\.b"', host)
    assert met('NAME =~ "[(|)*+]|07"', host)
    assert not met('NAME =~ "^cpu"', host)


def test_an_attribute_may_stand_there_very_often() -> None:
    # 50 s, in which the zone answered nobody, while each repetition copied those before it (2026-11-24).
    assert parse("A=1\n" * 200_000) == {"A": ["1"] * 200_000}
